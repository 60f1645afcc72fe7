import { expect, test } from "vitest";
import { dropToken, keptToken, takeToken } from "./linkToken";

test("a token is kept until it was used", () => {
  expect(takeToken("token=abc.def-_")).toBe(true);
  expect(keptToken()).toBe("abc.def-_");
  expect(takeToken("")).toBe(false);
  expect(takeToken("content")).toBe(false);
  expect(keptToken()).toBe("abc.def-_");
  dropToken();
  expect(keptToken()).toBeNull();
});
