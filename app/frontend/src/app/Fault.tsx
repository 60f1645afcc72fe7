/** Pages that take the place of one that can't be shown. They rely on nothing but the browser. */

import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../ui/Button";

/** The site can't start, since it doesn't know where its API is. */
export function StartFault({ message }: { message: string }) {
  return (
    <main className="m-auto">
      <Fault title="This page can't start">
        <p>It could not load its settings: {message}</p>
      </Fault>
    </main>
  );
}

/**
 * A page is loaded in parts, whose names change with each release: a tab from before a release asks for parts that are
 * gone. The router reloads once then, see `lazyRouteComponent`; this is for when that did not help.
 */
function isMissingPart(error: unknown): boolean {
  const message = error instanceof Error ? error.message : "";
  return /dynamically imported module|importing a module script|preload css/i.test(message);
}

/** Something failed that nobody expected. */
export function PageFault({ error }: { error: unknown }) {
  if (isMissingPart(error)) {
    return (
      <Fault title="A part of this page is missing">
        <p>
          It could not be loaded. Either the connection was lost, or a new version is being put in
          place right now. Reload in a moment.
        </p>
      </Fault>
    );
  }
  return (
    <Fault title="Something went wrong">
      <p>This page met an error that it was not made for. Reloading it may help.</p>
    </Fault>
  );
}

function Fault({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="m-auto flex max-w-md flex-col items-center p-6 text-center">
      <title>{title}</title>
      <span className="mb-4 grid size-14 place-items-center rounded-full bg-danger-soft text-danger">
        <TriangleAlert className="size-7" aria-hidden="true" strokeWidth={1.75} />
      </span>
      <div role="alert">
        <h1 className="mb-2 text-xl font-bold tracking-tight">{title}</h1>
        <div className="text-muted">{children}</div>
      </div>
      <Button look="primary" className="mt-6" onClick={() => window.location.reload()}>
        Reload
      </Button>
    </div>
  );
}
