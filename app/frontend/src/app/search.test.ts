import { expect, test } from "vitest";
import { listSearch, loginSearch, settingsSearch } from "./search";

test.each([
  [
    { page: 2, search: "milk" },
    { page: 2, search: "milk" },
  ],
  [
    { page: "3", search: 12 },
    { page: 3, search: "12" },
  ],
  [{ page: 1, search: "" }, {}],
  [{ page: -1, search: ["a"] }, {}],
  [{ page: 1.5 }, {}],
  [{ page: "x" }, {}],
])("of %j, a list takes %j", (given, taken) => {
  expect(listSearch(given)).toEqual(taken);
});

test("a tab that there is not is left out", () => {
  expect(settingsSearch({ tab: "password" })).toEqual({ tab: "password" });
  expect(settingsSearch({ tab: "other" })).toEqual({});
});

test.each([
  "//evil.test",
  "/\\evil.test",
  "https://evil.test",
  "javascript:alert(1)",
  "items",
  "/",
])("%s is no way back", (from) => {
  const taken = loginSearch({ from });
  expect(taken).toEqual({});
  // Said to be undefined, or the router would take it from the address all the same.
  expect(taken).toHaveProperty("from");
});

test("a place of this site is a way back", () => {
  expect(loginSearch({ from: "/items?page=2" })).toEqual({ from: "/items?page=2" });
});
