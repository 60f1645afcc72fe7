/** What `cargo xtask demo` proves: the superuser logs in, adds an item and sees it in the list. */

import { logIn } from "../people";
import { settings } from "../settings";
import { expect, test } from "../test";

test("the superuser adds an item and sees it", async ({ page }) => {
  const now = new Date();
  const day = now.toLocaleDateString("en-GB", { dateStyle: "long" });
  const title = `Made by the demo on ${day} at ${now.toLocaleTimeString("en-GB")}`;
  await logIn(page, settings.superuser);
  await page.goto("/items");
  await page.getByRole("button", { name: "Add item" }).first().click();
  const adding = page.getByRole("dialog", { name: "Add item" });
  await adding.getByLabel("Title").fill(title);
  await adding.getByRole("button", { name: "Save" }).click();
  await expect(adding).toBeHidden();
  await page.reload();
  await expect(page.getByRole("row").filter({ hasText: title })).toBeVisible();
  await page.screenshot({ path: `${settings.results}/items.png` });
});
