import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { serveApi } from "../test/api";
import { at, problem, server } from "../test/server";
import { heading, open, place } from "../test/site";

const guest = { isLoggedIn: false };
const button = (name: string) => screen.getByRole("button", { name });

/** Answers one request, and tells what it held. */
function serveOnce(path: string, answer: () => Response) {
  const held: unknown[] = [];
  server.use(
    http.post(at(path), async ({ request }) => {
      held.push(await request.json());
      return answer();
    }),
  );
  return held;
}

test("a wrong password is an alert, and what was typed stays", async () => {
  serveApi();
  const site = open("/login", guest);
  await heading("Log in");
  await site.type(screen.getByLabelText("Email"), "ann@example.com");
  await site.type(screen.getByLabelText("Password"), "wrong{Enter}");
  await waitFor(() =>
    expect(screen.getByRole("alert")).toHaveTextContent(
      "The email address or the password is wrong.",
    ),
  );
  expect(screen.getByLabelText("Email")).toHaveValue("ann@example.com");
  expect(place()).toBe("/login");
});

test("a form with faults is not sent: each field says what to do", async () => {
  serveApi();
  const site = open("/login", guest);
  await heading("Log in");
  await site.click(button("Log in"));
  const email = screen.getByLabelText("Email");
  await waitFor(() => expect(email).toBeInvalid());
  expect(email).toHaveFocus();
  expect(email).toHaveAccessibleDescription("Enter an email address, such as ann@example.com.");
  expect(screen.getByLabelText("Password")).toHaveAccessibleDescription("Enter your password.");

  await site.type(email, "ann@example.com");
  expect(email).toBeValid();
});

test("an API that can't be reached is named as the cause", async () => {
  server.use(http.post(at("/login/access-token"), () => HttpResponse.error()));
  const site = open("/login", guest);
  await heading("Log in");
  await site.type(screen.getByLabelText("Email"), "ann@example.com");
  await site.type(screen.getByLabelText("Password"), "right{Enter}");
  expect(await screen.findByText("The API can't be reached.")).toBeVisible();
});

test("a password can be shown", async () => {
  const site = open("/login", guest);
  await heading("Log in");
  const password = screen.getByLabelText("Password");
  expect(password).toHaveAttribute("type", "password");
  await site.click(button("Show what is typed"));
  expect(password).toHaveAttribute("type", "text");
  await site.click(button("Hide what is typed"));
  expect(password).toHaveAttribute("type", "password");
});

async function fillSignUp(site: ReturnType<typeof open>, confirm = "right") {
  await heading("Sign up");
  await site.type(screen.getByLabelText("Full name"), " Ann Ames ");
  await site.type(screen.getByLabelText("Email"), "ann@example.com");
  await site.type(screen.getByLabelText("Password"), "right passphrase");
  await site.type(screen.getByLabelText("Confirm password"), confirm);
  await site.click(button("Sign up"));
}

test("who signs up is logged in", async () => {
  const { me } = serveApi();
  const held = serveOnce("/users/signup", () => HttpResponse.json(me, { status: 201 }));
  server.use(
    http.post(at("/login/access-token"), () => HttpResponse.json({ access_token: "the-token" })),
  );
  const site = open("/signup", guest);
  await fillSignUp(site, "right passphrase");
  await heading("Hi, Ann Ames");
  const sent = { full_name: "Ann Ames", email: "ann@example.com", password: "right passphrase" };
  expect(held[0]).toMatchObject(sent);
  expect(held[0]).not.toHaveProperty("confirm");
});

test("passwords that differ are not sent", async () => {
  const site = open("/signup", guest);
  await fillSignUp(site, "right passphrase?");
  const confirm = screen.getByLabelText("Confirm password");
  await waitFor(() => expect(confirm).toHaveAccessibleDescription("The passwords differ."));
});

test("what the API refuses is told at the field", async () => {
  serveOnce("/users/signup", () => problem(409, "The email is taken.", { email: "is taken" }));
  const site = open("/signup", guest);
  await fillSignUp(site, "right passphrase");
  const email = screen.getByLabelText("Email");
  await waitFor(() => expect(email).toHaveAccessibleDescription("The email is taken."));
  expect(email).toHaveFocus();
});

test("a link can be asked for, whether there is such an account or not", async () => {
  const held = serveOnce("/password-recovery/", () =>
    HttpResponse.json({ message: "On its way." }, { status: 202 }),
  );
  const site = open("/recover-password", guest);
  await heading("Recover password");
  await site.type(screen.getByLabelText("Email"), " Ann@example.com ");
  await site.click(button("Send the link"));
  const words = "If there is an account for that address, a link is on its way.";
  expect(await screen.findByText(words)).toBeVisible();
  expect(held).toEqual([{ email: "Ann@example.com" }]);
});

test("the link of a mail leads to a new password, and its token leaves the address at once", async () => {
  const held = serveOnce("/reset-password/", () => HttpResponse.json({ message: "Done." }));
  const site = open("/reset-password#token=abc.def", guest);
  await heading("Choose a new password");
  expect(place()).toBe("/reset-password");
  await site.type(screen.getByLabelText("New password"), "new passphrase");
  await site.type(screen.getByLabelText("Confirm new password"), "new passphrase");
  await site.click(button("Set the password"));

  await heading("Log in");
  expect(screen.getByText("Your new password is set. Log in with it.")).toBeVisible();
  expect(held).toEqual([{ token: "abc.def", new_password: "new passphrase" }]);
});

test("a link that is too old is told, with a way to the next", async () => {
  serveOnce("/reset-password/", () => problem(400, "The link is no longer valid."));
  const site = open("/reset-password#token=old", guest);
  await heading("Choose a new password");
  await site.type(screen.getByLabelText("New password"), "new passphrase");
  await site.type(screen.getByLabelText("Confirm new password"), "new passphrase");
  await site.click(button("Set the password"));
  expect(await screen.findByText("The link is no longer valid.")).toBeVisible();
  const again = screen.getByRole("link", { name: "Ask for a new link" });
  expect(again).toHaveAttribute("href", "/recover-password");
});
