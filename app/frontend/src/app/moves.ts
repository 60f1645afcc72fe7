/** Knows whether someone has moved from one page to another, or still is where the visit began. */

import type { AnyRouter } from "@tanstack/react-router";

const moved = new WeakSet<AnyRouter>();

export function watchMoves(router: AnyRouter) {
  router.subscribe("onBeforeNavigate", ({ fromLocation, pathChanged }) => {
    if (fromLocation && pathChanged) moved.add(router);
  });
}

export function hasMoved(router: AnyRouter): boolean {
  return moved.has(router);
}
