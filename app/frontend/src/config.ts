/**
 * What this page learns at run time, from the file that each environment serves beside it.
 *
 * Nothing of it is known when the page is built: one image serves every environment.
 */

import { createContext, useContext } from "react";

export interface Config {
  /** Where the API is, as an origin. Empty when it shares the origin of the page. */
  apiUrl: string;
  /** `local`, `staging` or `production`. */
  environment: string;
  /** The release of this page. */
  version: string;
  /** What people call this deployment. */
  projectName: string;
  /** Where errors are reported; they stay here when it is missing. */
  sentryDsn?: string;
}

const ADDRESS = "/config.json";

export const ConfigContext = createContext<Config | null>(null);

export function useConfig(): Config {
  const config = useContext(ConfigContext);
  if (!config) throw new Error("There is no ConfigContext above this component.");
  return config;
}

/** Loads the config, or throws an error whose message can be shown. */
export async function loadConfig(signal?: AbortSignal): Promise<Config> {
  const response = await fetch(ADDRESS, { cache: "no-store", signal: signal ?? null }).catch(() => {
    throw new Error(`${ADDRESS} can't be reached.`);
  });
  if (!response.ok) {
    throw new Error(`${ADDRESS} was answered with status ${response.status}.`);
  }
  const values: unknown = await response.json().catch(() => {
    throw new Error(`${ADDRESS} is not JSON.`);
  });
  return check(values);
}

function check(values: unknown): Config {
  const given = (typeof values === "object" && values !== null ? values : {}) as Record<
    string,
    unknown
  >;
  const missing = ["apiUrl", "environment", "version"].filter(
    (name) => typeof given[name] !== "string",
  );
  if (missing.length > 0) {
    throw new Error(`${ADDRESS} lacks ${missing.join(", ")}.`);
  }
  return {
    // Where the edge leads both to, whatever the origin is called: a browser asks about no second certificate.
    apiUrl: given.sameOrigin === true ? "" : String(given.apiUrl).replace(/\/+$/, ""),
    environment: String(given.environment),
    version: String(given.version),
    projectName: typeof given.projectName === "string" ? given.projectName : "AppStack demo",
    ...(typeof given.sentryDsn === "string" && { sentryDsn: given.sentryDsn }),
  };
}
