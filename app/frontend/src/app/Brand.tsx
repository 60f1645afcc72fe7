/** What this is, and whether it is the real one. */

import { Link } from "@tanstack/react-router";
import { useConfig } from "../config";
import { classes } from "../ui/classes";
import { Logo } from "../ui/Logo";

export function Brand() {
  const { projectName } = useConfig();
  return (
    <div className="flex min-w-0 items-center gap-3">
      <Link to="/" className="flex min-w-0 items-center gap-2.5 rounded-lg">
        <Logo className="size-8 shrink-0" />
        <span className="truncate font-semibold tracking-tight">{projectName}</span>
      </Link>
      <EnvironmentBadge />
    </div>
  );
}

/** Production needs no badge: it is what people expect. */
function EnvironmentBadge() {
  const { environment } = useConfig();
  if (environment === "production") return null;
  const look =
    environment === "staging" ? "bg-warning-soft text-warning" : "bg-info-soft text-info";
  return (
    <span className={classes("rounded-full px-2.5 py-0.5 text-xs font-semibold", look)}>
      {environment}
    </span>
  );
}
