/** The frame of the page: what surrounds its content, and what all of it shares. */

import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { ApiContext, createApi } from "./api/client";
import { createQueryClient, useApiVersion } from "./api/queries";
import type { Config } from "./config";
import { ItemsPage } from "./items/ItemsPage";

export function App({ config }: { config: Config }) {
  return (
    <Providers apiUrl={config.apiUrl}>
      <a className="skip-link" href="#content">
        Skip to content
      </a>
      <header className="header">
        <div className="header-row">
          <Logo />
          <span className="project">{config.projectName}</span>
          <span className="badge" data-environment={config.environment}>
            {config.environment}
          </span>
        </div>
      </header>
      <main className="main" id="content" tabIndex={-1}>
        <ItemsPage />
      </main>
      <Footer config={config} />
    </Providers>
  );
}

function Providers({ apiUrl, children }: { apiUrl: string; children: ReactNode }) {
  const [api] = useState(() => createApi(apiUrl));
  const [queryClient] = useState(createQueryClient);
  return (
    <ApiContext value={api}>
      <QueryClientProvider client={queryClient}>{children}</QueryClientProvider>
    </ApiContext>
  );
}

function Footer({ config }: { config: Config }) {
  const api = useApiVersion();
  const state = api.isSuccess ? "up" : api.isError ? "down" : "unknown";
  return (
    <footer className="footer">
      <span>
        Page <b>{config.version}</b>
      </span>
      <span>
        <i className="dot" data-state={state} aria-hidden="true" />
        API <b>{api.data?.version ?? (api.isError ? "not reachable" : "…")}</b>
      </span>
      <a href={`${config.apiUrl}/docs`}>API documentation</a>
    </footer>
  );
}

function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path className="logo-top" d="M16 4 28 10 16 16 4 10z" />
      <path className="logo-layer" d="m4 16 12 6 12-6M4 22l12 6 12-6" />
    </svg>
  );
}
