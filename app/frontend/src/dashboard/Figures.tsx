/** How things stand, in a few figures. */

import type { ReactNode } from "react";
import { useLatestItems } from "../api/items";
import { useMe } from "../api/me";
import { useUsers } from "../api/users";
import { useApiVersion } from "../api/version";
import { useConfig } from "../config";
import { classes } from "../ui/classes";
import { Bar } from "../ui/Skeleton";

export function Figures() {
  const me = useMe();
  const { version } = useConfig();
  const items = useLatestItems();
  const api = useApiVersion();
  return (
    <dl className="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-[repeat(auto-fit,minmax(0,1fr))]">
      <Figure label="Your items">{shown(items, ({ count }) => count.toLocaleString())}</Figure>
      {me.is_superuser && <UserCount />}
      <Figure label="Site">{version}</Figure>
      <Figure label="API" state={api.isSuccess ? "up" : api.isError ? "down" : undefined}>
        {shown(api, (it) => it.version)}
      </Figure>
    </dl>
  );
}

function UserCount() {
  const users = useUsers({ page: 1, search: "" });
  return <Figure label="Users">{shown(users, ({ count }) => count.toLocaleString())}</Figure>;
}

interface Loadable<T> {
  data: T | undefined;
  isError: boolean;
}

function shown<T>({ data, isError }: Loadable<T>, show: (data: T) => string): ReactNode {
  if (data !== undefined) return show(data);
  return isError ? (
    <span className="text-lg text-muted">unknown</span>
  ) : (
    <Bar className="my-1.5 h-5 w-12" />
  );
}

interface FigureProps {
  label: string;
  state?: "up" | "down" | undefined;
  children: ReactNode;
}

function Figure({ label, state, children }: FigureProps) {
  return (
    <div className="card px-5 py-4 last:odd:col-span-2 lg:last:odd:col-span-1">
      <dt className="flex items-center gap-2 text-sm text-muted">
        {label}
        {state && (
          <span
            className={classes(
              "rounded-full px-2 py-px text-xs font-semibold",
              state === "up" ? "bg-success-soft text-success" : "bg-danger-soft text-danger",
            )}
          >
            {state}
          </span>
        )}
      </dt>
      <dd className="mt-1 truncate text-2xl font-bold tracking-tight tabular-nums">{children}</dd>
    </div>
  );
}
