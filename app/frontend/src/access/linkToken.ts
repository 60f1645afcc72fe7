/**
 * The token of the link in a mail. It stands after the `#` of the address, which reaches no server; here it is taken out
 * of the address bar and the history too, and lives in memory alone.
 */

let kept: string | null = null;

/** Keeps the token that an address holds. Answers whether there was one. */
export function takeToken(hash: string): boolean {
  const token = new URLSearchParams(hash).get("token");
  if (token) kept = token;
  return Boolean(token);
}

export function keptToken(): string | null {
  return kept;
}

/** It was used, and is of no more use. */
export function dropToken() {
  kept = null;
}
