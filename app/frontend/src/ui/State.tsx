/** Takes the place of content that isn't there, and says why. */

import { type LucideIcon, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { describe } from "../api/client";
import { Button } from "./Button";
import { classes } from "./classes";
import { PageHeading } from "./PageHeading";

interface Props {
  icon: LucideIcon;
  title: string;
  /** What went wrong is told in another colour than what is merely empty. */
  isFault?: boolean;
  /** It is all that the page shows. */
  isPage?: boolean;
  children?: ReactNode;
}

export function State({ icon: Icon, title, isFault = false, isPage = false, children }: Props) {
  return (
    <div className="flex flex-col items-center gap-1.5 px-6 py-14 text-center">
      <span
        className={classes(
          "mb-2 grid size-12 place-items-center rounded-full",
          isFault ? "bg-danger-soft text-danger" : "bg-accent-soft text-accent",
        )}
      >
        <Icon className="size-6" aria-hidden="true" strokeWidth={1.75} />
      </span>
      {isPage ? (
        <PageHeading isSmall>{title}</PageHeading>
      ) : (
        <p className="text-base font-semibold">{title}</p>
      )}
      {children}
    </div>
  );
}

interface FailureProps {
  title: string;
  isPage?: boolean;
  error: Error;
  isRetrying: boolean;
  onRetry: () => void;
}

/** Something could not be loaded: why, and a way to try again. */
export function Failure({ title, isPage = false, error, isRetrying, onRetry }: FailureProps) {
  return (
    <div role="alert">
      <State icon={TriangleAlert} title={title} isFault isPage={isPage}>
        <p className="max-w-prose text-muted">{describe(error)}</p>
        <Button className="mt-4" busy={isRetrying} onClick={onRetry}>
          Retry
        </Button>
      </State>
    </div>
  );
}
