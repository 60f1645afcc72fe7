/** What follows when someone logs in or out: what was read for them is forgotten, and the guards decide where to be. */

import type { QueryClient } from "@tanstack/react-query";
import type { AnyRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { forgetPerson } from "../api/cache";
import { onTokenChange } from "./token";

export function useSession(router: AnyRouter, cache: QueryClient) {
  useEffect(
    () =>
      onTokenChange((change) => {
        if (change === "renewed") return;
        forgetPerson(cache);
        // Who chose to leave does not want to come back to the same place; the guard would offer that.
        if (change === "left") void router.navigate({ to: "/login", search: {} });
        else void router.invalidate();
      }),
    [router, cache],
  );
}
