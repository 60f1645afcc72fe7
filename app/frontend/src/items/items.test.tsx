import { screen, waitFor, within } from "@testing-library/react";
import { delay, HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { item, serveApi } from "../test/api";
import { at, problem, server } from "../test/server";
import { heading, open, place } from "../test/site";

const many = (count: number) =>
  Array.from({ length: count }, (_, index) => item(`Item ${count - index}`));
const titles = () => screen.getAllByRole("rowheader").map((cell) => cell.textContent);
const button = (name: string) => screen.getByRole("button", { name });

test("while items load, the list says so", async () => {
  serveApi();
  server.use(http.get(at("/items/"), () => delay("infinite")));
  open("/items");
  expect(await screen.findByText("Loading items…")).toBeInTheDocument();
});

test("an empty list invites to add an item", async () => {
  serveApi();
  open("/items");
  expect(await screen.findByText("Nothing here yet")).toBeVisible();
});

test("a list of many items has pages, which the address names", async () => {
  serveApi({ items: many(12) });
  const site = open("/items");
  expect(await screen.findByText("Page 1 of 2")).toBeVisible();
  expect(screen.getByText("12 items")).toBeVisible();
  expect(titles()).toHaveLength(10);
  expect(button("Previous page")).toBeDisabled();

  await site.click(button("Next page"));
  expect(await screen.findByText("Item 1")).toBeVisible();
  expect(titles()).toEqual(["Item 2", "Item 1"]);
  expect(place()).toBe("/items?page=2");
  expect(await heading("Items")).toHaveFocus();
  expect(button("Next page")).toBeDisabled();
});

test("a page that is beyond the end leads to the last", async () => {
  serveApi({ items: many(12) });
  open("/items?page=9");
  expect(await screen.findByText("Page 2 of 2")).toBeVisible();
  expect(place()).toBe("/items?page=2");
});

test("a search narrows the list, and the address names it", async () => {
  serveApi({ items: [...many(12), item("Milk")] });
  const site = open("/items?page=2");
  await screen.findByText("Page 2 of 2");
  await site.type(screen.getByRole("searchbox", { name: "Search items" }), "Milk");
  expect(await screen.findByText("1 item")).toBeVisible();
  expect(titles()).toEqual(["Milk"]);
  expect(place()).toBe("/items?search=Milk");

  await site.type(screen.getByRole("searchbox"), "y Way");
  expect(await screen.findByText("No items found")).toBeVisible();
  expect(screen.getByText("Nothing matches “Milky Way”.")).toBeVisible();
});

test("a list that can't be loaded tells why and can be tried again", async () => {
  serveApi({ items: many(1) });
  const handler = http.get(at("/items/"), () => problem(422, "The API is on holiday."), {
    once: true,
  });
  server.use(handler);
  const site = open("/items");
  expect(await screen.findByText("The API is on holiday.")).toBeVisible();
  await site.click(button("Retry"));
  expect(await screen.findByText("Item 1")).toBeVisible();
});

test("an item that is added comes first", async () => {
  const api = serveApi({ items: many(12) });
  const site = open("/items?page=2");
  await screen.findByText("Item 1");
  await site.click(button("Add item"));
  const dialog = await screen.findByRole("dialog", { name: "Add item" });
  await site.type(within(dialog).getByLabelText("Title"), "  Milk ");
  await site.type(within(dialog).getByLabelText("Description"), "Two bottles");
  await site.click(within(dialog).getByRole("button", { name: "Save" }));

  expect(await screen.findByText("“Milk” was added.")).toBeVisible();
  await waitFor(() => expect(titles()[0]).toContain("Milk"));
  expect(api.items[0]).toMatchObject({ title: "Milk", description: "Two bottles" });
  expect(place()).toBe("/items");
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("what is wrong is told at the field, by the page and by the API", async () => {
  serveApi();
  server.use(
    http.post(at("/items/"), () => problem(422, "Fields break rules.", { title: "must be kind" })),
  );
  const site = open("/items");
  await heading("Items");
  await site.click(button("Add item"));
  const dialog = await screen.findByRole("dialog");
  await site.click(within(dialog).getByRole("button", { name: "Save" }));
  const title = within(dialog).getByLabelText("Title");
  await waitFor(() => expect(title).toHaveAccessibleDescription("Give the item a title."));

  await site.type(title, "Nonsense");
  await site.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(title).toHaveAccessibleDescription("The title must be kind."));
  expect(title).toHaveValue("Nonsense");
});

test("what is typed survives an API that fails", async () => {
  serveApi();
  server.use(
    http.post(at("/items/"), () => new HttpResponse("<html>Bad gateway", { status: 502 }), {
      once: true,
    }),
  );
  const site = open("/items");
  await heading("Items");
  await site.click(button("Add item"));
  const dialog = await screen.findByRole("dialog");
  await site.type(within(dialog).getByLabelText("Title"), "Keep me");
  await site.click(within(dialog).getByRole("button", { name: "Save" }));
  expect(await within(dialog).findByText(/The API answered with status 502/)).toBeVisible();

  await site.click(within(dialog).getByRole("button", { name: "Save" }));
  expect(await screen.findByText("“Keep me” was added.")).toBeVisible();
});

test("an item can be changed", async () => {
  const api = serveApi({ items: [item("Milk", { description: "Two bottles" })] });
  const site = open("/items");
  await site.click(await screen.findByRole("button", { name: "Actions for Milk" }));
  await site.click(await screen.findByRole("menuitem", { name: "Edit" }));
  const dialog = await screen.findByRole("dialog", { name: "Edit item" });
  expect(within(dialog).getByLabelText("Title")).toHaveValue("Milk");
  await site.clear(within(dialog).getByLabelText("Description"));
  await site.click(within(dialog).getByRole("button", { name: "Save" }));
  expect(await screen.findByText("“Milk” was saved.")).toBeVisible();
  expect(api.items[0]).toMatchObject({ title: "Milk", description: null });
});

test("an item is deleted only when that is confirmed", async () => {
  const api = serveApi({ items: [item("Milk"), item("Bread")] });
  const site = open("/items");
  const askToDelete = async () => {
    await site.click(await screen.findByRole("button", { name: "Actions for Milk" }));
    await site.click(await screen.findByRole("menuitem", { name: "Delete" }));
    return screen.findByRole("alertdialog", { name: "Delete this item?" });
  };
  const first = await askToDelete();
  await site.click(within(first).getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
  expect(api.items).toHaveLength(2);

  const second = await askToDelete();
  await site.click(within(second).getByRole("button", { name: "Delete" }));
  expect(await screen.findByText("“Milk” was deleted.")).toBeVisible();
  expect(titles()).toEqual(["Bread"]);
  expect(api.items).toHaveLength(1);
  expect(await heading("Items")).toHaveFocus();
});

test("an item that can't be deleted stays, and the dialog says why", async () => {
  serveApi({ items: [item("Milk")] });
  server.use(http.delete(at("/items/:id"), () => problem(503, "The database is away.")));
  const site = open("/items");
  await site.click(await screen.findByRole("button", { name: "Actions for Milk" }));
  await site.click(await screen.findByRole("menuitem", { name: "Delete" }));
  const dialog = await screen.findByRole("alertdialog");
  await site.click(within(dialog).getByRole("button", { name: "Delete" }));
  expect(await within(dialog).findByText("The database is away.")).toBeVisible();
});
