import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { serveApi, user } from "../test/api";
import { at, problem, server } from "../test/server";
import { heading, open, place } from "../test/site";

const ada = () => user("ada@example.com", { is_superuser: true });
const emails = () => screen.getAllByRole("rowheader").map((cell) => cell.textContent);
const button = (name: string) => screen.getByRole("button", { name });

async function act(site: ReturnType<typeof open>, email: string, action: string) {
  await site.click(await screen.findByRole("button", { name: `Actions for ${email}` }));
  await site.click(await screen.findByRole("menuitem", { name: action }));
}

test("superusers see all users, and find one", async () => {
  const bob = user("bob@example.com", { full_name: "Bob", is_active: false });
  serveApi({ me: ada(), users: [bob] });
  const site = open("/admin");
  await heading("Users");
  expect(await screen.findByText("2 users")).toBeVisible();
  const row = screen.getByRole("row", { name: /bob@example.com/ });
  expect(within(row).getAllByText("Inactive")).not.toHaveLength(0);

  await site.type(screen.getByRole("searchbox", { name: "Search users" }), "bob");
  expect(await screen.findByText("1 user")).toBeVisible();
  expect(emails()).toEqual([expect.stringContaining("bob@example.com")]);
  expect(place()).toBe("/admin?search=bob");
});

test("a user can be added", async () => {
  const api = serveApi({ me: ada() });
  const site = open("/admin");
  await heading("Users");
  await site.click(button("Add user"));
  const dialog = within(await screen.findByRole("dialog", { name: "Add user" }));
  expect(dialog.getByRole("checkbox", { name: "Active" })).toBeChecked();
  await site.type(dialog.getByLabelText("Email"), "bob@example.com");
  await site.type(dialog.getByLabelText("Full name"), "Bob");
  await site.type(dialog.getByLabelText("Password"), "a passphrase");
  await site.click(dialog.getByRole("checkbox", { name: "Superuser" }));
  await site.click(dialog.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("bob@example.com was added.")).toBeVisible();
  const added = { email: "bob@example.com", full_name: "Bob", is_superuser: true, is_active: true };
  expect(api.users[0]).toMatchObject(added);
});

test("a user can be changed, and keeps the password that is not set anew", async () => {
  serveApi({ me: ada(), users: [user("bob@example.com")] });
  let sent: unknown;
  server.use(
    http.patch(at("/users/:id"), async ({ request }) => {
      sent = await request.json();
      return HttpResponse.json(user("bob@example.com"));
    }),
  );
  const site = open("/admin");
  await act(site, "bob@example.com", "Edit");
  const dialog = within(await screen.findByRole("dialog", { name: "Edit user" }));
  await site.click(dialog.getByRole("checkbox", { name: "Active" }));
  await site.click(dialog.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("bob@example.com was saved.")).toBeVisible();
  const rights = { is_active: false, is_superuser: false };
  expect(sent).toEqual({ email: "bob@example.com", full_name: null, ...rights });
});

test("a user can be deleted", async () => {
  const api = serveApi({ me: ada(), users: [user("bob@example.com")] });
  const site = open("/admin");
  await act(site, "bob@example.com", "Delete");
  const dialog = within(await screen.findByRole("alertdialog"));
  await site.click(dialog.getByRole("button", { name: "Delete" }));
  expect(await screen.findByText("bob@example.com was deleted.")).toBeVisible();
  expect(api.users).toHaveLength(1);
});

test("nobody is offered what they may not do to themselves", async () => {
  serveApi({ me: ada() });
  const site = open("/admin");
  await site.click(await screen.findByRole("button", { name: "Actions for ada@example.com" }));
  await screen.findByRole("menuitem", { name: "Edit" });
  expect(screen.queryByRole("menuitem", { name: "Delete" })).toBeNull();
  await site.click(screen.getByRole("menuitem", { name: "Edit" }));
  const dialog = within(await screen.findByRole("dialog"));
  expect(dialog.queryByRole("checkbox")).toBeNull();
  expect(dialog.queryByLabelText("Password")).toBeNull();
});

test.each<[string, () => Response, RegExp]>([
  ["was taken", () => HttpResponse.json({ message: "Sent." }), /took the test mail to ada@/],
  ["was refused", () => problem(502, "The mail server said no."), /The mail server said no/],
  ["has no server", () => problem(409, "No mail server is set up."), /No mail server is set up/],
])("a test mail that %s is told", async (_, answer, words) => {
  serveApi({ me: ada() });
  server.use(http.post(at("/utils/test-email/"), answer));
  const site = open("/admin");
  await screen.findByRole("heading", { name: "Mail" });
  await site.click(button("Send a test mail"));
  await waitFor(() => expect(screen.getByText(words)).toBeVisible());
});
