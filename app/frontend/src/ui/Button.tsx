/** Buttons, and links that look like them. */

import { Link, type LinkComponentProps } from "@tanstack/react-router";
import { LoaderCircle } from "lucide-react";
import type { ComponentProps } from "react";
import { classes } from "./classes";

type Look = "primary" | "secondary" | "quiet" | "danger";

const BASE =
  "inline-flex items-center justify-center gap-2 rounded-lg border px-4 min-h-10 text-sm font-semibold " +
  "whitespace-nowrap transition-colors select-none disabled:opacity-50 disabled:cursor-not-allowed " +
  "aria-disabled:opacity-50";

const LOOKS: Record<Look, string> = {
  primary:
    "border-transparent bg-accent text-on-accent shadow-card not-disabled:hover:bg-accent-strong",
  secondary:
    "border-field/50 bg-surface text-ink shadow-card not-disabled:hover:bg-sunken not-disabled:hover:border-field",
  quiet: "border-transparent text-muted not-disabled:hover:bg-sunken not-disabled:hover:text-ink",
  danger:
    "border-transparent bg-danger text-on-danger shadow-card not-disabled:hover:bg-danger-strong",
};

export function buttonClass(look: Look = "secondary", more?: string): string {
  return classes(BASE, LOOKS[look], more);
}

interface ButtonProps extends ComponentProps<"button"> {
  look?: Look;
  /** Something is under way: the button waits for it, and keeps its width and the focus. */
  busy?: boolean;
}

export function Button({
  look,
  busy = false,
  className,
  children,
  onClick,
  ...props
}: ButtonProps) {
  return (
    <button
      type="button"
      {...props}
      aria-disabled={busy || undefined}
      // A disabled button would lose the focus.
      onClick={busy ? (event) => event.preventDefault() : onClick}
      className={buttonClass(look, classes("relative", className))}
    >
      {busy && (
        <LoaderCircle
          className="absolute size-4 animate-spin"
          aria-hidden="true"
          strokeWidth={2.5}
        />
      )}
      <span className={classes("inline-flex items-center gap-2", busy && "opacity-0")}>
        {children}
      </span>
    </button>
  );
}

export function ButtonLink({ look, className, ...props }: LinkComponentProps & { look?: Look }) {
  return <Link {...props} className={buttonClass(look, className)} />;
}
