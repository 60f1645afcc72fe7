/** Opens the site in a test, at an address and perhaps as someone who is logged in. */

import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { vi } from "vitest";
import { App } from "../app/App";
import { TOKEN } from "./api";
import { config } from "./server";

export function open(
  address: string,
  { isLoggedIn = true, part = {} as Partial<typeof config> } = {},
) {
  if (isLoggedIn) localStorage.setItem("access_token", TOKEN);
  window.history.replaceState(null, "", address);
  render(<App config={{ ...config, ...part }} />);
  return userEvent.setup();
}

export function heading(name: string | RegExp) {
  return screen.findByRole("heading", { level: 1, name });
}

/** Where the site is: the address without the origin. */
export function place(): string {
  const { pathname, search, hash } = window.location;
  return pathname + search + hash;
}

/** What another tab of this browser does to the storage they share. */
export function inAnotherTab(key: string, newValue: string | null) {
  if (newValue === null) localStorage.removeItem(key);
  else localStorage.setItem(key, newValue);
  window.dispatchEvent(new StorageEvent("storage", { key, newValue }));
}

/** Counts reloads, since the tests have no browser that could do one. */
export function watchReloads() {
  const reload = vi.fn();
  const { location } = window;
  // Not a proxy of the location itself, whose methods nobody may replace.
  const stub = new Proxy({} as Location, {
    get(_, name) {
      if (name === "reload") return reload;
      const value = Reflect.get(location, name, location);
      return typeof value === "function" ? value.bind(location) : value;
    },
  });
  vi.stubGlobal("location", stub);
  return reload;
}
