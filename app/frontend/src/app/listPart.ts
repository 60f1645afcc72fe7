/** The part of a list that the address of its page names. */

import { useCallback } from "react";
import type { ListPart } from "../api/cache";
import { listSearch } from "./search";

type Search = ReturnType<typeof listSearch>;

/** That part, and how to go to another one. */
export function useListPart(
  { page = 1, search = "" }: Search,
  navigate: (to: { search: Search; replace?: boolean }) => Promise<void>,
) {
  const show = useCallback(
    (part: Partial<ListPart>, how?: { replace: boolean }) =>
      void navigate({ search: listSearch(part), ...how }),
    [navigate],
  );
  return { part: { page, search }, show };
}
