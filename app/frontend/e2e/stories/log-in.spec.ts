/** Somebody comes in and goes out. */

import { enter, fillIn, logIn, logOut, member } from "../people";
import { expect, test } from "../test";

test("a wrong password keeps people out and says so", async ({ page, watch }) => {
  const ada = await member(page);
  watch.expects(400, /\/login\/access-token$/);
  await page.goto("/login");
  await fillIn(page, ada.email, "not her password");
  await expect(page.getByRole("alert")).toBeVisible();
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();

  await fillIn(page, ada.email, ada.password);
  await expect(page.getByRole("heading", { name: `Hi, ${ada.full_name}` })).toBeVisible();
});

test("who is not in is asked to, and then sees the page that was asked for", async ({ page }) => {
  const ada = await member(page);
  await page.goto("/settings");
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  await fillIn(page, ada.email, ada.password);
  await expect(page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
});

test("a reload keeps people in, and who logs out is out in every tab", async ({ page }) => {
  const me = await enter(page);
  await page.reload();
  await expect(page.getByRole("heading", { name: `Hi, ${me.full_name}` })).toBeVisible();
  const other = await page.context().newPage();
  await other.goto("/items");
  await expect(other.getByRole("heading", { name: "Items" })).toBeVisible();
  await logOut(page);
  await expect(other.getByRole("heading", { name: "Log in" })).toBeVisible();
  await page.goto("/items");
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
});

test("a new password counts at once, and the old one no longer does", async ({ page, watch }) => {
  const me = await enter(page);
  const password = `${me.password} and more`;
  await page.goto("/settings");
  await page.getByRole("tab", { name: "Password" }).click();
  await page.getByLabel("Current password").fill(me.password);
  await page.getByLabel("New password", { exact: true }).fill(password);
  await page.getByLabel("Confirm new password").fill(password);
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByRole("status").filter({ hasText: /password/i })).toBeVisible();

  await logOut(page);
  watch.expects(400, /\/login\/access-token$/);
  await fillIn(page, me.email, me.password);
  await expect(page.getByRole("alert")).toBeVisible();
  await logIn(page, { ...me, password });
});

test("who deletes the account is gone", async ({ page, watch }) => {
  const me = await enter(page);
  await page.goto("/settings");
  await page.getByRole("tab", { name: "Account" }).click();
  await page.getByRole("button", { name: "Delete account" }).click();
  const question = page.getByRole("alertdialog");
  await question.getByRole("button", { name: /^Delete/ }).click();
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  watch.expects(400, /\/login\/access-token$/);
  await fillIn(page, me.email, me.password);
  await expect(page.getByRole("alert")).toBeVisible();
});
