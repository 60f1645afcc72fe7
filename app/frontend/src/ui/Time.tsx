/** How long ago something was; the exact time is told to whoever points at it. */

import { ago } from "./ago";

export function Time({ at }: { at: string }) {
  const then = new Date(at);
  return (
    <time dateTime={at} title={then.toLocaleString()} className="whitespace-nowrap">
      {ago(then, new Date())}
    </time>
  );
}
