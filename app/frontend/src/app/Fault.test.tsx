import { cleanup, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { serveApi } from "../test/api";
import { heading, open, place, watchReloads } from "../test/site";
import { ErrorBoundary } from "./ErrorBoundary";
import { PageFault, StartFault } from "./Fault";

const GONE = "Failed to fetch dynamically imported module: https://site.test/assets/a.js";

// As if these parts of the site had come to this.
vi.mock("../items/ItemsPage", () => ({
  get ItemsPage() {
    throw new Error(GONE);
  },
}));
vi.mock("../settings/SettingsPage", () => ({
  SettingsPage() {
    throw new Error("broken");
  },
}));

beforeEach(() => {
  // React and the router tell of what they caught.
  vi.spyOn(console, "error").mockReturnValue();
  vi.spyOn(console, "warn").mockReturnValue();
});

test("a part that is gone brings one reload, then a page that says so", async () => {
  serveApi();
  const reload = watchReloads();
  const site = open("/");
  await heading("Hi, Ann Ames");
  const items = screen.getByRole("link", { name: "Items" });
  // The router fetches ahead what is pointed at; nobody is to lose what they type by that.
  await site.hover(items);
  expect(reload).not.toHaveBeenCalled();
  await site.click(items);
  await waitFor(() => expect(reload).toHaveBeenCalledOnce());
  expect(place()).toBe("/items");
  cleanup();

  // After the reload the part is still gone.
  open("/items");
  await heading("A part of this page is missing");
  expect(reload).toHaveBeenCalledOnce();
  await site.click(screen.getByRole("link", { name: "Dashboard" }));
  await heading("Hi, Ann Ames");
});

test.each([
  GONE,
  "error loading dynamically imported module: https://site.test/assets/a.js",
  "Importing a module script failed.",
  "Unable to preload CSS for /assets/a.css",
])("“%s” is told as a missing part", (message) => {
  render(<PageFault error={new Error(message)} />);
  expect(screen.getByRole("heading", { name: "A part of this page is missing" })).toBeVisible();
});

test("a page that fails says so, and does not take the site with it", async () => {
  serveApi();
  const reload = watchReloads();
  const site = open("/settings");
  await heading("Something went wrong");
  expect(screen.getByRole("alert")).toBeVisible();
  expect(screen.getByRole("navigation", { name: "Main" })).toBeVisible();
  expect(reload).not.toHaveBeenCalled();
  await site.click(screen.getByRole("button", { name: "Reload" }));
  expect(reload).toHaveBeenCalledOnce();
});

test("a page that can't start says why", () => {
  render(<StartFault message="/config.json is not JSON." />);
  expect(screen.getByRole("alert")).toHaveTextContent("/config.json is not JSON.");
});

test("what nobody else caught ends in a page that says so", () => {
  function Broken(): never {
    throw new Error("broken");
  }
  render(
    <ErrorBoundary>
      <Broken />
    </ErrorBoundary>,
  );
  expect(screen.getByRole("heading", { name: "Something went wrong" })).toBeVisible();
});
