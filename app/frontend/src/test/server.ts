/** The API as the tests see it: a stand-in at the level of the network. */

import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import type { Config } from "../config";

const API = "http://api.test";

export const config: Config = {
  apiUrl: API,
  environment: "staging",
  version: "v1.4.0",
  projectName: "Shop",
};

/** The address of a part of the API. */
export function at(path: string): string {
  return `${API}/api/v1${path}`;
}

export const server = setupServer(
  http.get(at("/version"), () =>
    HttpResponse.json({ version: "v1.3.9", environment: "staging", project_name: "Shop" }),
  ),
  http.get("/config.json", () => HttpResponse.json(config)),
);

/** The answer of an API that says no. */
export function problem(status: number, detail: string, errors: Record<string, string> = {}) {
  const body = { type: "about:blank", title: "Problem", status, detail, errors };
  return HttpResponse.json(body, {
    status,
    headers: { "content-type": "application/problem+json" },
  });
}
