/** What the API says of itself: while a release rolls out, it may differ from this page. */

import { useQuery } from "@tanstack/react-query";
import { dataOf, useApi } from "./client";

export function useApiVersion() {
  const api = useApi();
  return useQuery({
    queryKey: ["version"],
    queryFn: ({ signal }) => dataOf(api.GET("/api/v1/version", { signal })),
  });
}
