/** Each page in each look. */

import { looksGood } from "../looks";
import { enter, logIn, ownItems } from "../people";
import { settings } from "../settings";
import { expect, test } from "../test";

const GUESTS = [
  { path: "/login", heading: "Log in" },
  { path: "/signup", heading: "Sign up" },
  { path: "/recover-password", heading: "Recover password" },
  { path: "/reset-password#token=somebody", heading: "Choose a new password" },
];

for (const { path, heading } of GUESTS) {
  test(`the page "${heading}" looks good`, async ({ page }) => {
    await page.goto(path);
    await expect(page.getByRole("heading", { name: heading })).toBeVisible();
    await looksGood(page, heading.toLowerCase().replaceAll(" ", "-"));
  });
}

test("the dashboard looks good", async ({ page }) => {
  const me = await enter(page);
  await ownItems(page, me, ["Water the plants", "Answer Charles", "Write note G"]);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: /^Hi, / })).toBeVisible();
  await expect(page.getByText("Write note G")).toBeVisible();
  await looksGood(page, "dashboard");
  await page.getByRole("button", { name: "Account menu" }).click();
  await expect(page.getByRole("menuitem", { name: "Log out" })).toBeVisible();
  await looksGood(page, "account-menu");
});

test("an empty list and its dialog look good", async ({ page }) => {
  await enter(page);
  await page.goto("/items");
  await expect(page.getByRole("button", { name: "Add item" }).first()).toBeVisible();
  await looksGood(page, "items-none");
  await page.getByRole("button", { name: "Add item" }).first().click();
  await expect(page.getByRole("dialog", { name: "Add item" })).toBeVisible();
  await looksGood(page, "items-add");
});

test("a list of items and its menu look good", async ({ page }) => {
  const me = await enter(page);
  const long = `A title that goes on and on ${"and on ".repeat(25)}`.trim();
  const titles = Array.from({ length: 22 }, (_, index) => `Item number ${index + 1}`);
  await ownItems(page, me, [...titles, long, "Short"]);
  await page.goto("/items");
  await expect(page.getByRole("button", { name: "Actions for Short" })).toBeVisible();
  await looksGood(page, "items");
  await page.getByRole("button", { name: "Actions for Short" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await looksGood(page, "items-delete");
});

for (const tab of ["Profile", "Password", "Appearance", "Account"]) {
  test(`the settings under "${tab}" look good`, async ({ page }) => {
    const me = await enter(page);
    expect(me.email).toBeTruthy();
    await page.goto("/settings");
    await page.getByRole("tab", { name: tab }).click();
    await expect(page.getByRole("tabpanel", { name: tab })).toBeVisible();
    await looksGood(page, `settings-${tab.toLowerCase()}`);
  });
}

test("the administration looks good", async ({ page }) => {
  await logIn(page, settings.superuser);
  await page.goto("/admin");
  await expect(page.getByRole("button", { name: /^Actions for / }).first()).toBeVisible();
  await looksGood(page, "admin");
  await page.getByRole("heading", { name: "Mail" }).scrollIntoViewIfNeeded();
  await looksGood(page, "admin-mail");
  await page.getByRole("button", { name: "Add user" }).click();
  await expect(page.getByRole("dialog", { name: "Add user" })).toBeVisible();
  await looksGood(page, "admin-add");
});

test("the page for addresses that lead nowhere looks good", async ({ page }) => {
  await enter(page);
  await page.goto("/no/such/page");
  await expect(page.getByRole("heading", { name: /not found/i })).toBeVisible();
  await looksGood(page, "not-found");
});
