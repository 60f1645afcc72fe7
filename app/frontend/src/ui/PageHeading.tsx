/** The heading of a page. It names the page in the tab, and takes the focus when one navigates to it. */

import { useRouter } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef } from "react";
import { hasMoved } from "../app/moves";
import { useConfig } from "../config";
import { classes } from "./classes";

interface Props {
  /** The name of the page in the tab, when it is not the heading itself. */
  title?: string;
  isSmall?: boolean;
  className?: string;
  children: ReactNode;
}

export function PageHeading({ title, isSmall = false, className, children }: Props) {
  const { projectName } = useConfig();
  const router = useRouter();
  const heading = useRef<HTMLHeadingElement>(null);

  // A visit begins at the top of its first page, where the links to skip and to navigate are.
  useEffect(() => {
    if (hasMoved(router)) heading.current?.focus();
  }, [router]);

  return (
    <>
      <title>{`${title ?? children} · ${projectName}`}</title>
      <h1
        ref={heading}
        tabIndex={-1}
        className={classes(
          "font-bold tracking-tight wrap-anywhere",
          isSmall ? "text-lg" : "text-2xl",
          className,
        )}
      >
        {children}
      </h1>
    </>
  );
}

/** For when what had the focus is gone, or the page shows something else at the same address. */
export function focusHeading() {
  document.querySelector<HTMLElement>("h1")?.focus();
}
