/**
 * What the addresses of pages may say after the question mark. Each function names all of its keys, also those that are
 * undefined: the router takes what it is not told of as it stands in the address.
 */

import type { ListPart } from "../api/cache";

type Given = Record<string, unknown>;
type Said<T> = { [Key in keyof T]?: T[Key] | undefined };

/** `?page=2&search=milk`; what is as usual is not said. */
export function listSearch(given: Given): Said<ListPart> {
  const page = Number(given.page);
  return {
    page: Number.isSafeInteger(page) && page > 1 ? page : undefined,
    search: textOf(given.search),
  };
}

export const TABS = ["profile", "password", "appearance", "account"] as const;
export type Tab = (typeof TABS)[number];

export function settingsSearch(given: Given): Said<{ tab: Tab }> {
  return { tab: TABS.find((tab) => tab === given.tab) };
}

interface Login {
  /** Where to go after. */
  from: string;
  /** The password was just set anew. */
  reset: true;
}

export function loginSearch(given: Given): Said<Login> {
  const from = textOf(given.from);
  return {
    from: from && isOurs(from) ? from : undefined,
    reset: given.reset === true || undefined,
  };
}

/** Whether this is a place of this site: an address such as `//evil.test` would lead away from it. */
function isOurs(address: string): boolean {
  return /^\/(?![/\\])/.test(address) && address !== "/";
}

/** The router reads `?search=12` as a number. */
function textOf(value: unknown): string | undefined {
  const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
  return text || undefined;
}
