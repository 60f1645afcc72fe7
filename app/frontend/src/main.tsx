/** Starts the site: first the config, then everything else. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { ErrorBoundary } from "./app/ErrorBoundary";
import { StartFault } from "./app/Fault";
import { type Config, loadConfig } from "./config";
import "./style.css";

const root = createRoot(document.getElementById("root") ?? document.body, {
  // As if nobody had caught it: in the console, and with whoever listens for errors.
  onCaughtError: (error) => window.reportError(error),
});

loadConfig().then(start, (error: Error) => root.render(<StartFault message={error.message} />));

function start(config: Config) {
  // Not a part that the pages wait for.
  if (config.sentryDsn) void import("./sentry").then(({ startSentry }) => startSentry(config));
  root.render(
    <StrictMode>
      <ErrorBoundary>
        <App config={config} />
      </ErrorBoundary>
    </StrictMode>,
  );
}
