import { expect, test } from "vitest";
import type { ZodMiniType } from "zod/mini";
import { description, email, fullName, newPassword, password, title } from "./rules";

/** What is said of a value; nothing when it is good. */
function fault(rule: ZodMiniType, value: string): string | undefined {
  return rule.safeParse(value).error?.issues[0]?.message;
}

test.each<[string, ZodMiniType, string]>([
  ["title", title, "x"],
  ["title", title, "🎈".repeat(255)],
  ["description", description, ""],
  ["description", description, "🎈".repeat(2000)],
  ["full name", fullName, ""],
  ["email", email, " ann@example.com "],
  ["email", email, "ann@localhost"],
  ["password", password, "x"],
  ["new password", newPassword, "12345678"],
  ["new password", newPassword, "🎈".repeat(128)],
])("a good %s has no fault", (_, rule, value) => {
  expect(fault(rule, value)).toBeUndefined();
});

test.each<[string, ZodMiniType, string, RegExp]>([
  ["title", title, "  ", /Give the item a title/],
  ["title", title, "x".repeat(256), /at most 255/],
  ["description", description, "x".repeat(2001), /at most 2000/],
  ["full name", fullName, "x".repeat(256), /at most 255/],
  ["email", email, "", /Enter an email/],
  ["email", email, "ann", /Enter an email/],
  ["email", email, "ann@ex ample.com", /Enter an email/],
  ["email", email, `${"x".repeat(250)}@x.de`, /at most 254/],
  ["password", password, "", /Enter your password/],
  ["new password", newPassword, "1234567", /at least 8/],
  ["new password", newPassword, "🎈🎈🎈🎈", /at least 8/],
  ["new password", newPassword, "x".repeat(129), /at most 128/],
])("a bad %s is told", (_, rule, value, words) => {
  expect(fault(rule, value)).toMatch(words);
});
