import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { item, serveApi, user } from "../test/api";
import { at, problem, server } from "../test/server";
import { heading, open } from "../test/site";

const figures = () =>
  Object.fromEntries(
    screen
      .getAllByRole("term")
      .map((term) => [term.textContent, term.nextElementSibling?.textContent]),
  );

test("the dashboard shows how things stand", async () => {
  serveApi({ items: Array.from({ length: 7 }, (_, index) => item(`Item ${index}`)) });
  open("/");
  await heading("Hi, Ann Ames");
  await waitFor(() =>
    expect(figures()).toEqual({ "Your items": "7", Site: "v1.4.0", APIup: "v1.3.9" }),
  );
  const latest = screen.getByRole("region", { name: "Latest items" });
  expect(within(latest).getAllByRole("listitem")).toHaveLength(5);
});

test("superusers see how many users there are", async () => {
  serveApi({ me: user("ada@example.com", { is_superuser: true }), users: [user("b@example.com")] });
  open("/");
  await heading("Hi, ada@example.com");
  await waitFor(() => expect(figures()).toHaveProperty("Users", "2"));
});

test("an item is added by its title alone, and the form is ready for the next", async () => {
  const api = serveApi();
  const site = open("/");
  await screen.findByText("Nothing here yet");
  const title = screen.getByLabelText("Title");
  await site.type(title, "Milk{Enter}");
  expect(await screen.findByText("“Milk” was added.")).toBeVisible();
  expect(await screen.findByText("Milk")).toBeVisible();
  expect(api.items[0]).toMatchObject({ title: "Milk", description: null });
  expect(title).toHaveValue("");
  expect(title).toHaveFocus();
});

test("an API that is away leaves figures unknown, and the rest in place", async () => {
  serveApi();
  server.use(
    http.get(at("/items/"), () => problem(422, "The API is on holiday.")),
    http.get(at("/version"), () => HttpResponse.error()),
  );
  open("/");
  expect(await screen.findByText("The API is on holiday.")).toBeVisible();
  await waitFor(() => expect(figures()).toMatchObject({ "Your items": "unknown", Site: "v1.4.0" }));
  await waitFor(() => expect(figures()).toHaveProperty("APIdown", "unknown"));
  expect(screen.getByRole("button", { name: "Retry" })).toBeVisible();
});
