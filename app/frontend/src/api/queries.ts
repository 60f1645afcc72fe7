/** What the page asks the API. The only module that knows the keys of the cache. */

import {
  keepPreviousData,
  QueryClient,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { ApiError, dataOf, type NewItem, useApi } from "./client";

export const PAGE_SIZE = 10;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: { queries: { retry: shouldRetry, staleTime: 10_000 } },
  });
}

/** Once: a request that was wrong stays wrong, and people would rather read what happened than wait. */
function shouldRetry(failures: number, error: Error): boolean {
  const isWrong = error instanceof ApiError && error.status < 500;
  return !isWrong && failures < 1;
}

/** One page of the list; the first is 0. The page before stays in sight until the next one is there. */
export function useItems(page: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["items", page],
    queryFn: ({ signal }) => {
      const query = { skip: page * PAGE_SIZE, limit: PAGE_SIZE };
      return dataOf(api.GET("/api/v1/items/", { params: { query }, signal }));
    },
    placeholderData: keepPreviousData,
  });
}

export function useAddItem() {
  const api = useApi();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (item: NewItem) => dataOf(api.POST("/api/v1/items/", { body: item })),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["items"] }),
  });
}

/** What the API says of itself: while a release rolls out, it may differ from this page. */
export function useApiVersion() {
  const api = useApi();
  return useQuery({
    queryKey: ["version"],
    queryFn: ({ signal }) => dataOf(api.GET("/api/v1/version", { signal })),
  });
}
