/** Which page is at which address, and who may open it. Each page is a part of its own, loaded when it is needed. */

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  type RouterHistory,
  redirect,
} from "@tanstack/react-router";
import { keptToken, takeToken } from "../access/linkToken";
import { getToken } from "../session/token";
import { PageFault } from "./Fault";
import { watchMoves } from "./moves";
import { NewVersion } from "./NewVersion";
import { NotFound } from "./NotFound";
import { Pending } from "./Pending";
import { listSearch, loginSearch, settingsSearch } from "./search";

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <NewVersion />
    </>
  ),
});

const access = createRoute({
  getParentRoute: () => root,
  id: "access",
  component: lazyRouteComponent(() => import("./AccessLayout"), "AccessLayout"),
});

/** Who is logged in has no use for these. */
const guests = createRoute({
  getParentRoute: () => access,
  id: "guests",
  validateSearch: loginSearch,
  beforeLoad: ({ search }) => {
    if (getToken()) throw redirect({ to: search.from ?? "/", replace: true });
  },
});

const login = createRoute({
  getParentRoute: () => guests,
  path: "login",
  component: lazyRouteComponent(() => import("../access/LogInPage"), "LogInPage"),
});

const signUp = createRoute({
  getParentRoute: () => guests,
  path: "signup",
  component: lazyRouteComponent(() => import("../access/SignUpPage"), "SignUpPage"),
});

const recover = createRoute({
  getParentRoute: () => access,
  path: "recover-password",
  component: lazyRouteComponent(() => import("../access/RecoverPage"), "RecoverPage"),
});

const reset = createRoute({
  getParentRoute: () => access,
  path: "reset-password",
  beforeLoad: ({ location }) => {
    if (takeToken(location.hash)) throw redirect({ to: "/reset-password", replace: true });
    return { linkToken: keptToken() };
  },
  component: lazyRouteComponent(() => import("../access/ResetPage"), "ResetPage"),
});

/** These need someone who is logged in; who isn't comes back here after. */
const members = createRoute({
  getParentRoute: () => root,
  id: "members",
  component: lazyRouteComponent(() => import("./MemberLayout"), "MemberLayout"),
  beforeLoad: ({ location }) => {
    if (getToken()) return;
    throw redirect({ to: "/login", search: loginSearch({ from: location.href }), replace: true });
  },
});

const dashboard = createRoute({
  getParentRoute: () => members,
  path: "/",
  component: lazyRouteComponent(() => import("../dashboard/DashboardPage"), "DashboardPage"),
});

const items = createRoute({
  getParentRoute: () => members,
  path: "items",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import("../items/ItemsPage"), "ItemsPage"),
});

const settings = createRoute({
  getParentRoute: () => members,
  path: "settings",
  validateSearch: settingsSearch,
  component: lazyRouteComponent(() => import("../settings/SettingsPage"), "SettingsPage"),
});

const admin = createRoute({
  getParentRoute: () => members,
  path: "admin",
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import("../admin/AdminPage"), "AdminPage"),
});

const routeTree = root.addChildren([
  access.addChildren([guests.addChildren([login, signUp]), recover, reset]),
  members.addChildren([dashboard, items, settings, admin]),
]);

export function createSiteRouter(history?: RouterHistory) {
  const router = createRouter({
    routeTree,
    ...(history && { history }),
    defaultPreload: "intent",
    defaultPendingComponent: Pending,
    defaultErrorComponent: PageFault,
    defaultNotFoundComponent: NotFound,
    // On its own, not within the page whose address the unknown one begins with.
    notFoundMode: "root",
    scrollRestoration: true,
  });
  watchMoves(router);
  return router;
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createSiteRouter>;
  }
}
