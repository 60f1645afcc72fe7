/** The places of the site: beside the page, or at the thumb's reach on a phone. */

import { Link } from "@tanstack/react-router";
import { LayoutDashboard, ListChecks, Settings, ShieldUser } from "lucide-react";
import { useMe } from "../api/me";

const PLACES = [
  { to: "/", label: "Dashboard", icon: LayoutDashboard },
  { to: "/items", label: "Items", icon: ListChecks },
  { to: "/settings", label: "Settings", icon: Settings },
  { to: "/admin", label: "Admin", icon: ShieldUser },
] as const;

export function Navigation() {
  const me = useMe();
  const places = PLACES.filter(({ to }) => to !== "/admin" || me.is_superuser);
  return (
    <nav
      aria-label="Main"
      className="fixed inset-x-0 bottom-0 z-20 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:sticky md:inset-x-auto md:top-16 md:bottom-auto md:h-[calc(100dvh-4rem)] md:overflow-y-auto md:border-0 md:bg-transparent md:p-4 md:pr-2"
    >
      <ul className="flex justify-around md:flex-col md:gap-1">
        {places.map(({ to, label, icon: Icon }) => (
          <li key={to} className="min-w-0 flex-1">
            <Link
              to={to}
              activeOptions={{ exact: to === "/", includeSearch: false }}
              className="flex flex-col items-center gap-0.5 rounded-lg px-1 py-2 text-[0.75rem] font-medium text-muted transition-colors hover:text-ink focus-visible:-outline-offset-2 data-[status=active]:text-accent md:flex-row md:gap-3 md:px-3 md:text-[0.9375rem] md:hover:bg-line/50 md:data-[status=active]:bg-accent-soft md:data-[status=active]:font-semibold"
            >
              <Icon className="size-5" aria-hidden="true" strokeWidth={1.9} />
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
