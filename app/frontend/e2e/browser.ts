/** The browser: the machine's own, which trusts the stack's certificate and no other that nobody vouches for. */

import { createHash, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { settings } from "./settings";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Where the browser is: what CHROMIUM names, or what is on the path. */
export function program(): string {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const places = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = process.env.CHROMIUM ?? places.find((place) => existsSync(place));
  if (!found) throw new Error(`there is no browser: none of ${NAMES.join(", ")} is on the path`);
  return found;
}

/** Chromium's own sandbox refuses root. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

export function flags(): string[] {
  // There is no graphics card here, and to imitate one takes half of a core.
  return ["--disable-gpu", ...lookups(), `--ignore-certificate-errors-spki-list=${pin()}`];
}

/** The names of a local stack are known to no DNS server: they lead to this machine. */
export function lookups(): string[] {
  const names = [settings.site, settings.api].map((url) => new URL(url).hostname);
  const rules = names.map((name) => `MAP ${name} 127.0.0.1`).join(",");
  // Nothing else is to be asked for.
  return [`--host-resolver-rules=${rules},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1`];
}

/** The public key of the stack's certificate, in the form that Chromium takes. */
function pin(): string {
  const certificate = new X509Certificate(readFileSync(settings.certificate));
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}
