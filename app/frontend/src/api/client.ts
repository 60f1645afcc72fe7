/** How the page talks to the API. The types come from the API's own description, see `schema.d.ts`. */

import createClient, { type Client } from "openapi-fetch";
import { createContext, useContext } from "react";
import type { components, paths } from "./schema";

export type Item = components["schemas"]["Item"];
export type NewItem = components["schemas"]["NewItem"];
type Problem = components["schemas"]["Problem"];

export type Api = Client<paths>;

export function createApi(baseUrl: string): Api {
  return createClient<paths>({ baseUrl });
}

export const ApiContext = createContext<Api | null>(null);

export function useApi(): Api {
  const api = useContext(ApiContext);
  if (!api) throw new Error("There is no ApiContext above this component.");
  return api;
}

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

/** The data of an answer; throws an `ApiError` when there is none. */
export async function dataOf<T>(pending: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await pending;
  if (data !== undefined) return data;
  // Between here and the API are proxies, whose errors are pages and not problem documents.
  throw new ApiError(response.status, typeof error === "object" ? error : undefined);
}

/** What to tell people about any error. */
export function describe(error: Error): string {
  return error instanceof ApiError ? error.message : "The API can't be reached.";
}
