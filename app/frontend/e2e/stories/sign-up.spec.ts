/** Somebody makes an account. */

import { looksGood } from "../looks";
import { logIn, logOut, member, somebody } from "../people";
import { expect, test } from "../test";

test("who signs up is in at once, and can come back", async ({ page }) => {
  const ada = somebody();
  await page.goto("/login");
  await page.getByRole("link", { name: "Sign up" }).click();
  await expect(page.getByRole("heading", { name: "Sign up" })).toBeVisible();
  await page.getByLabel("Full name").fill(ada.full_name);
  await page.getByLabel("Email").fill(ada.email);
  await page.getByLabel("Password", { exact: true }).fill(ada.password);
  await page.getByLabel("Confirm password").fill(ada.password);
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("heading", { name: `Hi, ${ada.full_name}` })).toBeVisible();
  await expect(page).toHaveURL("/");
  // Administration is not for everybody.
  await expect(page.getByRole("link", { name: "Admin" })).toHaveCount(0);

  await logOut(page);
  await logIn(page, ada);
});

test("an address that is taken is refused at its field", async ({ page, watch }) => {
  const ada = await member(page);
  watch.expects(409, /\/users\/signup$/);
  await page.goto("/signup");
  await page.getByLabel("Full name").fill("Somebody else");
  await page.getByLabel("Email").fill(ada.email.toUpperCase());
  await page.getByLabel("Password", { exact: true }).fill(ada.password);
  await page.getByLabel("Confirm password").fill(ada.password);
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByLabel("Email")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByRole("heading", { name: "Sign up" })).toBeVisible();
});

test("what is wrong with the form is said before anything is sent", async ({ page }) => {
  await page.goto("/signup");
  await page.getByLabel("Full name").fill("Ada");
  await page.getByLabel("Email").fill("no address");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await page.getByLabel("Confirm password").fill("other");
  let sent = 0;
  page.on("request", (request) => {
    if (request.method() === "POST") sent += 1;
  });
  await page.getByRole("button", { name: "Sign up" }).click();
  for (const field of ["Email", "Password", "Confirm password"])
    await expect(page.getByLabel(field, { exact: true })).toHaveAttribute("aria-invalid", "true");
  expect(sent).toBe(0);
  await looksGood(page, "sign-up-wrong");
});
