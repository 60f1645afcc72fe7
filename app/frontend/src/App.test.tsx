import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { delay, HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { App } from "./App";
import { StartError } from "./StartError";
import { config, ITEMS, item, problem, serveItems, server } from "./test/server";

function open() {
  render(<App config={config} />);
  return userEvent.setup();
}

const titleField = () => screen.getByLabelText("Title");
const addButton = () => screen.getByRole("button", { name: "Add item" });
const rows = () => within(screen.getByRole("list")).getAllByRole("heading");

test("the frame shows the project, its environment and both versions", async () => {
  serveItems(0);
  open();
  expect(screen.getByText("Shop")).toBeVisible();
  expect(screen.getByText("staging")).toBeVisible();
  expect(screen.getByText("v1.4.0")).toBeVisible();
  expect(await screen.findByText("v1.3.9")).toBeVisible();
  expect(screen.getByRole("link", { name: "API documentation" })).toHaveAttribute(
    "href",
    "http://api.test/docs",
  );
});

test("a page that can't start says why", () => {
  render(<StartError message="/config.json is not JSON." />);
  expect(screen.getByRole("alert")).toHaveTextContent("/config.json is not JSON.");
});

test("while items load, the list says so", () => {
  server.use(http.get(ITEMS, () => delay("infinite")));
  open();
  expect(screen.getByText("Loading items…")).toBeInTheDocument();
});

test("an empty list invites to add an item", async () => {
  serveItems(0);
  open();
  expect(await screen.findByText("Nothing here yet")).toBeVisible();
});

test("a list of many items has pages", async () => {
  serveItems(12);
  const user = open();
  expect(await screen.findByText("Page 1 of 2")).toBeVisible();
  expect(rows()).toHaveLength(10);
  expect(screen.getByRole("button", { name: "Newer" })).toBeDisabled();

  await user.click(screen.getByRole("button", { name: "Older" }));
  expect(await screen.findByText("Item 1")).toBeVisible();
  expect(rows()).toHaveLength(2);
  expect(screen.getByRole("heading", { name: "Items" })).toHaveFocus();
  expect(screen.getByRole("button", { name: "Older" })).toBeDisabled();
});

test("a list that can't be loaded tells why and can be tried again", async () => {
  server.use(http.get(ITEMS, () => problem(422, "The API is on holiday.")));
  const user = open();
  expect(await screen.findByText("The API is on holiday.")).toBeVisible();

  serveItems(1);
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Item 1")).toBeVisible();
});

test("an API that can't be reached is named as the cause", async () => {
  server.use(http.get(ITEMS, () => HttpResponse.error()));
  open();
  expect(await screen.findByText("The API can't be reached.", {}, { timeout: 4000 })).toBeVisible();
});

test("an item that is added comes first, and the form is ready for the next", async () => {
  const items = serveItems(1);
  const user = open();
  await screen.findByText("Item 1");
  await user.type(titleField(), "  Buy milk ");
  await user.type(screen.getByLabelText(/Description/), "Two bottles");
  await user.click(addButton());

  expect(await screen.findByText("“Buy milk” was added.")).toBeVisible();
  expect(await screen.findByText("Two bottles")).toBeVisible();
  expect(rows()[0]).toHaveTextContent("Buy milk");
  expect(items[0]).toMatchObject({ title: "Buy milk", description: "Two bottles" });
  expect(titleField()).toHaveValue("");
  expect(titleField()).toHaveFocus();
});

test("a form with a fault is not sent: the field says what to do", async () => {
  serveItems(0);
  const user = open();
  await user.click(addButton());
  expect(screen.getByText("Give the item a title.")).toBeVisible();
  expect(titleField()).toBeInvalid();
  expect(titleField()).toHaveFocus();
  expect(titleField()).toHaveAccessibleDescription("Give the item a title.");

  await user.type(titleField(), "x");
  expect(titleField()).toBeValid();
});

test("what the API refuses is told at the field", async () => {
  serveItems(0);
  server.use(
    http.post(ITEMS, () => problem(422, "Some fields break a rule.", { title: "must be kind" })),
  );
  const user = open();
  await user.type(titleField(), "Nonsense");
  await user.click(addButton());
  expect(await screen.findByText("The title must be kind.")).toBeVisible();
  expect(titleField()).toHaveValue("Nonsense");
});

test("what is typed survives an API that fails", async () => {
  serveItems(0);
  server.use(http.post(ITEMS, () => new HttpResponse("<html>Bad gateway", { status: 502 })));
  const user = open();
  await user.type(titleField(), "Keep me");
  await user.click(addButton());
  expect(await screen.findByText(/The API answered with status 502/)).toBeVisible();
  expect(titleField()).toHaveValue("Keep me");

  server.use(http.post(ITEMS, () => HttpResponse.json(item(7), { status: 201 })));
  await user.click(addButton());
  expect(await screen.findByText("“Item 7” was added.")).toBeVisible();
});
