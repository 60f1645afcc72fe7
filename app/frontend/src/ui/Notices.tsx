/**
 * Says in passing what has come of an action: `notify("The item was added.")`. The message leaves by itself, but not
 * while someone is at it.
 */

import { CircleCheck, X } from "lucide-react";
import { useEffect, useState, useSyncExternalStore } from "react";

const SHOWN_FOR = 6_000;

interface Notice {
  /** Tells two notices with the same words apart. */
  id: number;
  text: string;
}

let current: Notice | null = null;
const listeners = new Set<() => void>();

export function notify(text: string) {
  show({ id: (current?.id ?? 0) + 1, text });
}

function show(notice: Notice | null) {
  current = notice;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Where the notices are shown. The region is always there, so that what comes into it is read aloud. */
export function Notices() {
  const notice = useSyncExternalStore(subscribe, () => current);
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-4 bottom-20 z-40 flex justify-center sm:justify-end md:right-6 md:bottom-6"
    >
      {notice && <Message key={notice.id} text={notice.text} />}
    </div>
  );
}

function Message({ text }: { text: string }) {
  const [isHeld, setHeld] = useState(false);

  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => show(null), SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [isHeld]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only waits while the pointer or the focus is here.
    <div
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      className="pointer-events-auto flex max-w-md animate-appear items-start gap-3 rounded-xl border border-line bg-surface p-3.5 shadow-raised"
    >
      <CircleCheck className="mt-0.5 size-4.5 shrink-0 text-success" aria-hidden="true" />
      <p className="text-sm font-medium wrap-anywhere">{text}</p>
      <button
        type="button"
        aria-label="Dismiss"
        onClick={() => show(null)}
        className="-m-1.5 grid size-8 shrink-0 place-items-center rounded-lg text-muted hover:bg-sunken hover:text-ink"
      >
        <X className="size-4" aria-hidden="true" />
      </button>
    </div>
  );
}
