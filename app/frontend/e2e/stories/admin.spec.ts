/** The superuser looks after users and mail. */

import { mailTo } from "../mail";
import { enter, fillIn, logIn, logOut, somebody } from "../people";
import { settings } from "../settings";
import { expect, test } from "../test";

test("a user who was added gets in, and one who was deactivated does not", async ({
  page,
  watch,
}) => {
  await logIn(page, settings.superuser);
  const grace = somebody("Grace Hopper");
  await page.getByRole("link", { name: "Admin" }).click();
  await expect(page.getByRole("heading", { name: "Users", exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Add user" }).click();
  const adding = page.getByRole("dialog", { name: "Add user" });
  await adding.getByLabel("Email").fill(grace.email);
  await adding.getByLabel("Full name").fill(grace.full_name);
  await adding.getByLabel("Password", { exact: true }).fill(grace.password);
  await expect(adding.getByRole("checkbox", { name: "Active" })).toBeChecked();
  await expect(adding.getByRole("checkbox", { name: "Superuser" })).not.toBeChecked();
  await adding.getByRole("button", { name: "Save" }).click();
  await expect(adding).toBeHidden();

  await page.getByRole("searchbox", { name: "Search users" }).fill(grace.email);
  const row = page.getByRole("row").filter({ hasText: grace.email });
  await expect(row).toBeVisible();
  await expect(page.getByRole("row")).toHaveCount(2);
  // She is told by mail, but her password is not.
  const welcome = await mailTo(grace.email);
  expect(welcome.Text.includes(grace.password)).toBe(false);

  await logOut(page);
  await logIn(page, grace);
  await expect(page.getByRole("heading", { name: `Hi, ${grace.full_name}` })).toBeVisible();
  await logOut(page);

  await logIn(page, settings.superuser);
  await page.goto("/admin");
  await page.getByRole("searchbox", { name: "Search users" }).fill(grace.email);
  await row.getByRole("button", { name: /^Actions for / }).click();
  await page.getByRole("menuitem", { name: "Edit" }).click();
  const editing = page.getByRole("dialog", { name: "Edit user" });
  await editing.getByRole("checkbox", { name: "Active" }).uncheck();
  await editing.getByRole("button", { name: "Save" }).click();
  await expect(editing).toBeHidden();
  await logOut(page);
  watch.expects(400, /\/login\/access-token$/);
  await fillIn(page, grace.email, grace.password);
  await expect(page.getByRole("alert")).toBeVisible();

  await logIn(page, settings.superuser);
  await page.goto("/admin");
  await page.getByRole("searchbox", { name: "Search users" }).fill(grace.email);
  await row.getByRole("button", { name: /^Actions for / }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(row).toHaveCount(0);
});

test("a test mail arrives", async ({ page }) => {
  await logIn(page, settings.superuser);
  const { email } = somebody();
  await page.goto("/admin");
  await expect(page.getByRole("heading", { name: "Mail" })).toBeVisible();
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Send a test mail" }).click();
  await expect(page.getByRole("status").filter({ hasText: email })).toBeVisible();
  const mail = await mailTo(email);
  expect(mail.Subject).not.toBe("");
});

test("who is no superuser finds no administration", async ({ page }) => {
  await enter(page);
  await page.goto("/admin");
  // Either the page says so or leads elsewhere; in no case does it show the users.
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Users", exact: true })).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Add user" })).toHaveCount(0);
});
