/** A message within the page. */

import { CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";

const KINDS = {
  fault: { icon: TriangleAlert, look: "bg-danger-soft text-danger", role: "alert" },
  success: { icon: CircleCheck, look: "bg-success-soft text-success", role: "status" },
  info: { icon: Info, look: "bg-info-soft text-info", role: "status" },
} as const;

interface Props {
  kind: keyof typeof KINDS;
  /** Nothing is shown without a message. The element stays, so that what comes into it is read aloud. */
  children: ReactNode;
}

export function Alert({ kind, children }: Props) {
  const { icon: Icon, look, role } = KINDS[kind];
  return (
    <div role={role} className="empty:absolute">
      {children && (
        <div className={classes("flex gap-2.5 rounded-lg px-3.5 py-2.5 text-sm font-medium", look)}>
          <Icon className="mt-0.5 size-4.5 shrink-0" aria-hidden="true" />
          <div className="wrap-anywhere">{children}</div>
        </div>
      )}
    </div>
  );
}
