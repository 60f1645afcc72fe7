/**
 * The access token: the only module that knows where it is kept.
 *
 * It lives in the browser's local storage, so that it survives a reload and is shared by all tabs: who logs out in one
 * is logged out in all.
 */

import { useSyncExternalStore } from "react";

const KEY = "access_token";

/** Why the token is another one now. */
export type Change =
  /** Someone logged in, here or in another tab. */
  | "began"
  /** Someone logged out, here or in another tab. */
  | "left"
  /** The API no longer takes the token. */
  | "ended"
  /** The same person goes on with a new token. */
  | "renewed";

type Listener = (change: Change) => void;

const listeners = new Set<Listener>();

export function getToken(): string | null {
  return localStorage.getItem(KEY);
}

export function logIn(token: string) {
  keep(token, "began");
}

export function renewToken(token: string) {
  keep(token, "renewed");
}

export function logOut() {
  keep(null, "left");
}

/** The API refused a token. It is dropped, unless another one has taken its place since it was sent. */
export function expireToken(refused: string) {
  if (refused === getToken()) keep(null, "ended");
}

/** Calls `listener` for each change; the answer stops that. */
export function onTokenChange(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The token, or null when nobody is logged in. */
export function useToken(): string | null {
  return useSyncExternalStore(onTokenChange, getToken);
}

function keep(token: string | null, change: Change) {
  if (token === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, token);
  tell(change);
}

function tell(change: Change) {
  for (const listener of listeners) listener(change);
}

// Browsers send this event to the other tabs only; its key is null when everything was cleared.
window.addEventListener("storage", ({ key, newValue }) => {
  if (key === KEY || key === null) tell(newValue === null ? "left" : "began");
});
