/** There is no page at this address. */

import { Compass } from "lucide-react";
import { ButtonLink } from "../ui/Button";
import { PageHeading } from "../ui/PageHeading";

export function NotFound() {
  return (
    <main className="m-auto flex max-w-md flex-col items-center p-6 text-center">
      <span className="mb-4 grid size-14 place-items-center rounded-full bg-accent-soft text-accent">
        <Compass className="size-7" aria-hidden="true" strokeWidth={1.75} />
      </span>
      <PageHeading>Page not found</PageHeading>
      <p className="mt-2 text-muted">There is nothing at this address. It may have moved.</p>
      <ButtonLink to="/" look="primary" className="mt-6">
        Go to the dashboard
      </ButtonLink>
    </main>
  );
}
