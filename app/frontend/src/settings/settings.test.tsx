import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { serveApi, user } from "../test/api";
import { at, problem, server } from "../test/server";
import { heading, inAnotherTab, open, place } from "../test/site";

const tab = (name: string) => screen.getByRole("tab", { name });
const button = (name: string) => screen.getByRole("button", { name });

test("the profile can be changed, and the frame shows it", async () => {
  const api = serveApi();
  const site = open("/settings");
  await heading("Settings");
  const name = screen.getByLabelText("Full name");
  expect(name).toHaveValue("Ann Ames");
  await site.clear(name);
  await site.type(name, "Ann Bell");
  await site.click(button("Save"));
  expect(await screen.findByText("Your profile was saved.")).toBeVisible();
  expect(api.me).toMatchObject({ full_name: "Ann Bell", email: "ann@example.com" });
  expect(button("Account menu")).toHaveTextContent("Ann Bell");
});

test("an email that is taken is told at the field", async () => {
  serveApi();
  server.use(
    http.patch(at("/users/me"), () => problem(409, "It is taken.", { email: "is taken" })),
  );
  const site = open("/settings");
  await heading("Settings");
  await site.click(button("Save"));
  const email = screen.getByLabelText("Email");
  await waitFor(() => expect(email).toHaveAccessibleDescription("The email is taken."));
});

async function changePassword(site: ReturnType<typeof open>) {
  await heading("Settings");
  await site.click(tab("Password"));
  await site.type(await screen.findByLabelText("Current password"), "right");
  await site.type(screen.getByLabelText("New password"), "new passphrase");
  await site.type(screen.getByLabelText("Confirm new password"), "new passphrase");
  await site.click(button("Change the password"));
}

test("a new password brings a new token, with which one goes on", async () => {
  serveApi();
  server.use(
    http.patch(at("/users/me/password"), async ({ request }) => {
      const sent = await request.json();
      expect(sent).toEqual({ current_password: "right", new_password: "new passphrase" });
      return HttpResponse.json({ access_token: "another-token" });
    }),
  );
  const site = open("/settings");
  await changePassword(site);
  expect(await screen.findByText(/Your password was changed/)).toBeVisible();
  expect(localStorage.getItem("access_token")).toBe("another-token");
  expect(screen.getByLabelText("Current password")).toHaveValue("");
  expect(place()).toBe("/settings?tab=password");
});

test("a wrong current password is told at its field", async () => {
  serveApi();
  server.use(
    http.patch(at("/users/me/password"), () =>
      problem(422, "A field breaks a rule.", { current_password: "is wrong" }),
    ),
  );
  const site = open("/settings");
  await changePassword(site);
  const field = screen.getByLabelText("Current password");
  await waitFor(() => expect(field).toHaveAccessibleDescription("The current password is wrong."));
});

test("the theme can be chosen, and is kept", async () => {
  serveApi();
  const site = open("/settings?tab=appearance");
  await heading("Settings");
  expect(await screen.findByRole("radio", { name: "System" })).toBeChecked();
  await site.click(screen.getByRole("radio", { name: "Dark" }));
  expect(document.documentElement.dataset.theme).toBe("dark");
  expect(localStorage.getItem("theme")).toBe("dark");
  expect(screen.getByRole("radio", { name: "Dark" })).toBeChecked();

  inAnotherTab("theme", "light");
  await waitFor(() => expect(screen.getByRole("radio", { name: "Light" })).toBeChecked());
  expect(document.documentElement.dataset.theme).toBe("light");
});

test("an account is deleted only when that is confirmed", async () => {
  serveApi();
  let isDeleted = false;
  server.use(
    http.delete(at("/users/me"), () => {
      isDeleted = true;
      return new HttpResponse(null, { status: 204 });
    }),
  );
  const site = open("/settings?tab=account");
  await heading("Settings");
  await site.click(await screen.findByRole("button", { name: "Delete account" }));
  const dialog = await screen.findByRole("alertdialog");
  expect(dialog).toHaveTextContent("ann@example.com");
  expect(isDeleted).toBe(false);
  await site.click(within(dialog).getByRole("button", { name: "Delete" }));
  await heading("Log in");
  expect(isDeleted).toBe(true);
  expect(localStorage.getItem("access_token")).toBeNull();
});

test("a superuser can't delete its own account", async () => {
  serveApi({ me: user("ada@example.com", { is_superuser: true }) });
  open("/settings?tab=account");
  expect(await screen.findByRole("button", { name: "Delete account" })).toBeDisabled();
});
