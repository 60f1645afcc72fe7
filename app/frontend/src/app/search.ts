/** What the addresses of pages may say after the question mark; anything else is left out. */

import type { ListPart } from "../api/cache";

type Given = Record<string, unknown>;

/** `?page=2&search=milk`; what is as usual is not said. */
export function listSearch(given: Given): Partial<ListPart> {
  const page = Number(given.page);
  const search = textOf(given.search);
  return { ...(Number.isSafeInteger(page) && page > 1 && { page }), ...(search && { search }) };
}

export const TABS = ["profile", "password", "appearance", "account"] as const;
export type Tab = (typeof TABS)[number];

export function settingsSearch(given: Given): { tab?: Tab } {
  const tab = TABS.find((tab) => tab === given.tab);
  return tab ? { tab } : {};
}

export interface LoginSearch {
  /** Where to go after. */
  from?: string;
  /** The password was just set anew. */
  reset?: true;
}

export function loginSearch(given: Given): LoginSearch {
  const from = textOf(given.from);
  return { ...(isOurs(from) && { from }), ...(given.reset === true && { reset: true }) };
}

/** Whether this is a place of this site: an address such as `//evil.test` would lead away from it. */
function isOurs(address: string): boolean {
  return /^\/(?![/\\])/.test(address) && address !== "/";
}

/** The router reads `?search=12` as a number. */
function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
