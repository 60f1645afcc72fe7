/** The rules of the API for what people type. Said here too, so that they learn of a fault at once. */

import * as z from "zod/mini";

export const TITLE_MAX = 255;
export const DESCRIPTION_MAX = 2000;
const NAME_MAX = 255;
const EMAIL_MAX = 254;
const PASSWORD_MIN = 8;
const PASSWORD_MAX = 128;

/** As the API counts: code points. `length` would count an emoji twice. */
export function count(text: string): number {
  return [...text].length;
}

function atMost(max: number) {
  return z.refine<string>((text) => count(text) <= max, `Use at most ${max} characters.`);
}

export const email = z.string().check(
  z.trim(),
  // As lenient as the API: whether there is such an address, only a mail to it can tell.
  z.regex(/^[^\s@]+@[^\s@]+$/, "Enter an email address, such as ann@example.com."),
  atMost(EMAIL_MAX),
);

export const fullName = z.string().check(z.trim(), atMost(NAME_MAX));

/** A password that one already has. */
export const password = z.string().check(z.minLength(1, "Enter your password."));

export const newPassword = z.string().check(
  z.refine((text) => count(text) >= PASSWORD_MIN, `Use at least ${PASSWORD_MIN} characters.`),
  atMost(PASSWORD_MAX),
);

export const title = z
  .string()
  .check(z.trim(), z.minLength(1, "Give the item a title."), atMost(TITLE_MAX));

export const description = z.string().check(z.trim(), atMost(DESCRIPTION_MAX));

/** What is said when the two passwords of a form are not the same. */
export const DIFFERENT = { message: "The passwords differ.", path: ["confirm"] };

/** The API knows no empty words: nothing is null. */
export function orNull(text: string): string | null {
  return text || null;
}
