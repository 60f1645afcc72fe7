/** The frame of a form: its fields, what is wrong with the whole, and the button that sends it. */

import type { ReactNode, SubmitEventHandler } from "react";
import { Alert } from "./Alert";
import { classes } from "./classes";

interface Props {
  onSubmit: SubmitEventHandler;
  label?: string;
  alert: string | undefined;
  className?: string;
  children: ReactNode;
}

export function Form({ onSubmit, label, alert, className, children }: Props) {
  return (
    <form
      noValidate
      aria-label={label}
      onSubmit={onSubmit}
      className={classes("grid gap-5", className)}
    >
      <Alert kind="fault">{alert}</Alert>
      {children}
    </form>
  );
}
