/**
 * What this page learns at run time, from the file that each environment serves beside it.
 *
 * Nothing of it is known when the page is built: one image serves every environment.
 */

export interface Config {
  /** Where the API is, as an origin. Empty when it shares the origin of the page. */
  apiUrl: string;
  /** `local`, `staging` or `production`. */
  environment: string;
  /** The release of this page. */
  version: string;
  /** What people call this deployment. */
  projectName: string;
}

const ADDRESS = "/config.json";

/** Loads the config, or throws an error whose message can be shown. */
export async function loadConfig(): Promise<Config> {
  const response = await fetch(ADDRESS, { cache: "no-store" }).catch(() => {
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
    apiUrl: String(given.apiUrl).replace(/\/+$/, ""),
    environment: String(given.environment),
    version: String(given.version),
    projectName: typeof given.projectName === "string" ? given.projectName : "AppStack demo",
  };
}
