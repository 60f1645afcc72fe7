/** Starts the page: first the config, then everything else. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { loadConfig } from "./config";
import { StartError } from "./StartError";
import "./styles.css";

const root = createRoot(document.getElementById("root") ?? document.body);

loadConfig().then(
  (config) => {
    document.title = config.projectName;
    root.render(
      <StrictMode>
        <App config={config} />
      </StrictMode>,
    );
  },
  (error: Error) => root.render(<StartError message={error.message} />),
);
