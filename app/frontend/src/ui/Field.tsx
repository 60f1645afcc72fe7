/** Form fields: a label, a control, a hint, and what is wrong with it. */

import { Eye, EyeOff } from "lucide-react";
import { type ComponentProps, type ReactNode, useId, useState } from "react";
import { classes } from "./classes";

const CONTROL =
  "w-full rounded-lg border border-field bg-surface px-3 text-ink placeholder:text-muted/80 transition-colors " +
  "hover:border-ink/60 focus-visible:outline-offset-0 focus-visible:border-accent " +
  "disabled:bg-sunken disabled:text-muted " +
  // On a phone, a smaller text would make the browser zoom in.
  "text-base sm:text-[0.9375rem] " +
  "aria-invalid:border-danger aria-invalid:focus-visible:outline-danger";

interface Description {
  label: string;
  hint?: string | undefined;
  /** What is wrong with the value, for people. */
  error?: string | undefined;
  isOptional?: boolean | undefined;
}

interface Wiring {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby": string;
}

interface FrameProps extends Description {
  children: (wiring: Wiring) => ReactNode;
}

function Frame({ label, hint, error, isOptional = false, children }: FrameProps) {
  const id = useId();
  const wiring = { id, "aria-invalid": Boolean(error), "aria-describedby": `${id}-about` };
  return (
    <div className="grid gap-1.5">
      <div className="flex items-baseline justify-between gap-4">
        <label htmlFor={id} className="text-sm font-semibold">
          {label}
        </label>
        {isOptional && <span className="text-[0.8125rem] text-muted">Optional</span>}
      </div>
      {children(wiring)}
      <p
        id={`${id}-about`}
        className={classes("text-sm empty:hidden", error ? "text-danger" : "text-muted")}
      >
        {error ?? hint}
      </p>
    </div>
  );
}

export function TextField({
  label,
  hint,
  error,
  isOptional,
  className,
  ...props
}: Description & ComponentProps<"input">) {
  return (
    <Frame {...{ label, hint, error, isOptional }}>
      {(wiring) => (
        <input type="text" {...props} {...wiring} className={classes(CONTROL, "h-10", className)} />
      )}
    </Frame>
  );
}

export function TextArea({
  label,
  hint,
  error,
  isOptional,
  ...props
}: Description & ComponentProps<"textarea">) {
  return (
    <Frame {...{ label, hint, error, isOptional }}>
      {(wiring) => (
        <textarea rows={4} {...props} {...wiring} className={classes(CONTROL, "min-h-24 py-2")} />
      )}
    </Frame>
  );
}

/** A password, hidden until its owner wants to see it. */
export function PasswordField({
  label,
  hint,
  error,
  ...props
}: Description & ComponentProps<"input">) {
  const [isShown, setShown] = useState(false);
  const Icon = isShown ? EyeOff : Eye;
  return (
    <Frame {...{ label, hint, error }}>
      {(wiring) => (
        <div className="relative">
          <input
            {...props}
            {...wiring}
            type={isShown ? "text" : "password"}
            spellCheck={false}
            autoCapitalize="off"
            className={classes(CONTROL, "h-10 pr-11")}
          />
          <button
            type="button"
            aria-label={isShown ? "Hide what is typed" : "Show what is typed"}
            onClick={() => setShown(!isShown)}
            className="absolute inset-y-0 right-0 grid w-11 place-items-center rounded-lg text-muted hover:text-ink focus-visible:-outline-offset-4"
          >
            <Icon className="size-4.5" aria-hidden="true" />
          </button>
        </div>
      )}
    </Frame>
  );
}

/** A box to tick, or one of several to choose from. */
export function Choice({
  label,
  hint,
  className,
  type = "checkbox",
  ...props
}: Description & ComponentProps<"input">) {
  const id = useId();
  return (
    <label className={classes("flex items-start gap-3", className)}>
      <input
        {...props}
        type={type}
        aria-labelledby={`${id}-label`}
        aria-describedby={hint && `${id}-hint`}
        className="mt-0.75 size-4.5 shrink-0 accent-accent"
      />
      <span className="grid">
        <span id={`${id}-label`} className="text-sm font-semibold">
          {label}
        </span>
        {hint && (
          <span id={`${id}-hint`} className="text-sm text-muted">
            {hint}
          </span>
        )}
      </span>
    </label>
  );
}
