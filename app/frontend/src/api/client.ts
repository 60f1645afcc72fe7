/** How the site talks to the API. The types come from the API's own description, see `schema.d.ts`. */

import createClient, { type Client, type Middleware } from "openapi-fetch";
import { createContext, useContext } from "react";
import { expireToken, getToken } from "../session/token";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Item = Schemas["Item"];
export type NewItem = Schemas["NewItem"];
export type User = Schemas["User"];
export type NewUser = Schemas["NewUser"];
export type UserChange = Schemas["UserChange"];
type Problem = Schemas["Problem"];

export type Api = Client<paths>;

export function createApi(baseUrl: string): Api {
  const api = createClient<paths>({ baseUrl });
  api.use(session);
  return api;
}

export const ApiContext = createContext<Api | null>(null);

export function useApi(): Api {
  const api = useContext(ApiContext);
  if (!api) throw new Error("There is no ApiContext above this component.");
  return api;
}

const SCHEME = "Bearer ";

/** Says who asks, and notices when the API no longer believes it. */
const session: Middleware = {
  onRequest({ request }) {
    const token = getToken();
    if (token) request.headers.set("Authorization", SCHEME + token);
  },
  onResponse({ request, response }) {
    const sent = request.headers.get("Authorization");
    if (response.status === 401 && sent) expireToken(sent.slice(SCHEME.length));
  },
};

/** The API said no. Its message is for people; `fields` names the rule that each field breaks. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly fields: Record<string, string>;

  constructor(status: number, problem: Partial<Problem> | undefined) {
    super(problem?.detail ?? `The API answered with status ${status}.`);
    this.status = status;
    this.fields = problem?.errors ?? {};
  }
}

interface Answer<T> {
  data?: T;
  error?: Partial<Problem> | string;
  response: Response;
}

/** The data of an answer; throws an `ApiError` when the API said no. */
export async function dataOf<T>(pending: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await pending;
  // An answer without content has no data, and is none the worse for it.
  if (response.ok) return data as T;
  // Between here and the API are proxies, whose errors are pages and not problem documents.
  throw new ApiError(response.status, typeof error === "object" ? error : undefined);
}

/** What to tell people about any error. */
export function describe(error: Error): string {
  return error instanceof ApiError ? error.message : "The API can't be reached.";
}
