import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { item, serveApi, user } from "../test/api";
import { at, problem, server } from "../test/server";
import { heading, inAnotherTab, open, place } from "../test/site";

async function logIn(site: ReturnType<typeof open>, email = "ann@example.com") {
  await site.type(await screen.findByLabelText("Email"), email);
  await site.type(screen.getByLabelText("Password"), "right");
  await site.click(screen.getByRole("button", { name: "Log in" }));
}

test("who is not logged in is asked to, and comes back to where they were going", async () => {
  serveApi({ items: [item("Milk")] });
  const site = open("/items?search=Mi", { isLoggedIn: false });
  await heading("Log in");
  expect(screen.getByText("Log in to go on to where you were.")).toBeVisible();

  await logIn(site);
  await heading("Items");
  expect(place()).toBe("/items?search=Mi");
  expect(await screen.findByText("Milk")).toBeVisible();
});

test("a way back that leads away from the site is not taken", async () => {
  serveApi();
  const site = open("/login?from=//evil.test", { isLoggedIn: false });
  await heading("Log in");
  await logIn(site);
  await heading("Hi, Ann Ames");
  expect(place()).toBe("/");
});

test.each(["/login", "/signup"])("who is logged in has no use for %s", async (address) => {
  serveApi();
  open(address);
  await heading("Hi, Ann Ames");
  expect(place()).toBe("/");
});

test("a token that is void ends the session, wherever one is", async () => {
  serveApi({ items: [item("Milk")] });
  const site = open("/items");
  await screen.findByText("Milk");
  server.use(http.get(at("/items/"), () => problem(401, "The token is void.")));
  await site.type(screen.getByRole("searchbox"), "x");
  await heading("Log in");
  expect(localStorage.getItem("access_token")).toBeNull();
  expect(place()).toMatch(/^\/login\?from=%2Fitems/);
});

test("who logs out is logged out, and is not led back", async () => {
  serveApi();
  const site = open("/settings");
  await heading("Settings");
  await site.click(screen.getByRole("button", { name: "Account menu" }));
  await site.click(await screen.findByRole("menuitem", { name: "Log out" }));
  await heading("Log in");
  expect(place()).toBe("/login");
  expect(localStorage.getItem("access_token")).toBeNull();
});

test("logging out in one tab logs out the others", async () => {
  serveApi();
  open("/");
  await heading("Hi, Ann Ames");
  inAnotherTab("access_token", null);
  await heading("Log in");
});

test("logging in in one tab logs in the others", async () => {
  serveApi();
  open("/login", { isLoggedIn: false });
  await heading("Log in");
  inAnotherTab("access_token", "the-token");
  await heading("Hi, Ann Ames");
});

test("what one user saw is forgotten before the next comes", async () => {
  serveApi({ items: [item("Ann's secret")] });
  const site = open("/");
  await screen.findByText("Ann's secret");
  await site.click(screen.getByRole("button", { name: "Account menu" }));
  await site.click(await screen.findByRole("menuitem", { name: "Log out" }));
  await heading("Log in");

  serveApi({ me: user("bob@example.com") });
  server.use(http.get(at("/items/"), () => new Promise(() => {})));
  await logIn(site, "bob@example.com");
  await heading("Hi, bob@example.com");
  expect(screen.queryByText("Ann's secret")).toBeNull();
});

test("only superusers see the link to the administration", async () => {
  serveApi();
  open("/admin");
  await heading("Only superusers can see this page");
  const places = within(screen.getByRole("navigation", { name: "Main" })).getAllByRole("link");
  expect(places.map((place) => place.textContent)).toEqual(["Dashboard", "Items", "Settings"]);
});

test("an account that can't be loaded is said, and can be tried again", async () => {
  serveApi();
  server.use(
    http.get(at("/users/me"), () => problem(503, "The database is away."), { once: true }),
  );
  server.use(
    http.get(at("/users/me"), () => problem(503, "The database is away."), { once: true }),
  );
  const site = open("/items");
  await heading("Your account can't be loaded");
  expect(screen.getByText("The database is away.")).toBeVisible();
  await site.click(screen.getByRole("button", { name: "Retry" }));
  await heading("Items");
});

test("an address that leads nowhere has a page that says so", async () => {
  serveApi();
  open("/items/of/nobody");
  await heading("Page not found");
  expect(screen.getByRole("link", { name: "Go to the dashboard" })).toHaveAttribute("href", "/");
});

test("each page has its title, and the focus when one goes to it", async () => {
  serveApi();
  const site = open("/");
  await heading("Hi, Ann Ames");
  await waitFor(() => expect(document.title).toBe("Dashboard · Shop"));
  expect(document.body).toHaveFocus();

  await site.click(screen.getByRole("link", { name: "Settings" }));
  expect(await heading("Settings")).toHaveFocus();
  expect(document.title).toBe("Settings · Shop");
});

test("the frame shows the project, its environment and both releases", async () => {
  serveApi();
  open("/settings");
  await heading("Settings");
  expect(screen.getByRole("link", { name: "Shop" })).toHaveAttribute("href", "/");
  expect(screen.getByText("staging")).toBeVisible();
  expect(screen.getByText("v1.4.0")).toBeVisible();
  expect(await screen.findByText("v1.3.9")).toBeVisible();
  const docs = screen.getByRole("link", { name: "API documentation" });
  expect(docs).toHaveAttribute("href", "http://api.test/docs");
});

test("production wears no badge", async () => {
  serveApi();
  open("/settings", { part: { environment: "production" } });
  await heading("Settings");
  expect(screen.queryByText("production")).toBeNull();
});

test("an API that is away is named at the foot", async () => {
  serveApi();
  server.use(http.get(at("/version"), () => HttpResponse.error()));
  open("/settings");
  expect(await screen.findByText("not reachable")).toBeVisible();
});
