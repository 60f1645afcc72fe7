/** Grey bars where text will be, and the words for those who don't see them. */

import { classes } from "./classes";

export function Bar({ className }: { className?: string }) {
  return (
    <span
      aria-hidden="true"
      className={classes("block h-3.5 animate-breathe rounded-md bg-line", className)}
    />
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <span role="status" className="sr-only">
      Loading {what}…
    </span>
  );
}
