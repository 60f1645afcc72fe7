import { readFileSync } from "node:fs";
import { beforeEach, expect, test, vi } from "vitest";
import { watchReloads } from "../test/site";

/** Runs the script as the browser does: once for each document, whose listeners go with it. */
function runEarly() {
  const listeners: ((event: { target: unknown }) => void)[] = [];
  vi.spyOn(window, "addEventListener").mockImplementation((_, listener) => {
    listeners.push(listener as (typeof listeners)[number]);
  });
  new Function(readFileSync("public/early.js", "utf8"))();
  return (target: Element) => {
    for (const listener of listeners) listener({ target });
  };
}

/** How the browser came to the document. */
function came(type: "navigate" | "reload") {
  vi.stubGlobal("performance", { getEntriesByType: () => [{ type }] });
}

beforeEach(() => {
  document.body.innerHTML = '<div id="root"></div>';
  delete document.documentElement.dataset.theme;
});

test.each(["light", "dark"])("the %s theme, once chosen, is there before the site is", (theme) => {
  localStorage.setItem("theme", theme);
  runEarly();
  expect(document.documentElement.dataset.theme).toBe(theme);
});

test("who has chosen no theme gets that of the device", () => {
  runEarly();
  expect(document.documentElement.dataset.theme).toBe("system");
});

test("a browser that keeps nothing has a theme all the same", () => {
  vi.spyOn(Storage.prototype, "getItem").mockImplementation(() => {
    throw new DOMException("denied", "SecurityError");
  });
  expect(runEarly).not.toThrow();
});

test("a first script that is gone brings one reload, then words", () => {
  const reload = watchReloads();
  came("navigate");
  runEarly()(document.createElement("script"));
  expect(reload).toHaveBeenCalledOnce();
  expect(document.body).not.toHaveTextContent("missing");

  came("reload");
  runEarly()(document.createElement("script"));
  expect(document.querySelector("[role=alert]")).toHaveTextContent(
    "A part of this page is missing",
  );
  document.querySelector("button")?.click();
  expect(reload).toHaveBeenCalledTimes(2);
});

test("what is missing later is not its business", () => {
  const reload = watchReloads();
  came("navigate");
  const fail = runEarly();
  fail(document.createElement("img"));
  document.getElementById("root")?.append("The site");
  fail(document.createElement("script"));
  expect(reload).not.toHaveBeenCalled();
  expect(document.body).toHaveTextContent("The site");
});
