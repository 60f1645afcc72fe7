/** What the site remembers of the API's answers, and for how long. */

import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "./client";

export function createCache(): QueryClient {
  return new QueryClient({
    defaultOptions: { queries: { retry: shouldRetry, staleTime: 10_000 } },
  });
}

/** What the site says of itself, whoever is logged in. */
export const SITE_KEY = ["site"];

/** Forgets what was read for somebody. */
export function forgetPerson(cache: QueryClient) {
  cache.getMutationCache().clear();
  cache.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SITE_KEY[0] });
}

/** Once: a request that was wrong stays wrong, and people would rather read what happened than wait. */
function shouldRetry(failures: number, error: Error): boolean {
  const isWrong = error instanceof ApiError && error.status < 500;
  return !isWrong && failures < 1;
}

/** Which part of a list: pages begin at 1. */
export interface ListPart {
  page: number;
  search: string;
}

export const PAGE_SIZE = 10;

/** The part of a list as the API wants it said. */
export function queryOf({ page, search }: ListPart) {
  return { skip: (page - 1) * PAGE_SIZE, limit: PAGE_SIZE, ...(search && { search }) };
}
