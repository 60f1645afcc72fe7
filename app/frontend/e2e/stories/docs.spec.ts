/** The description of the API, for who wants to try it by hand. */

import { member } from "../people";
import { settings } from "../settings";
import { expect, test } from "../test";

test("who logs in on the documentation may try what needs a login", async ({ page }) => {
  const ada = await member(page);
  await page.goto(`${settings.api}/docs`);
  await page.getByRole("button", { name: "Authorize", exact: true }).click();
  const dialog = page.locator(".dialog-ux");
  await dialog.getByLabel("username:").fill(ada.email);
  await dialog.getByLabel("password:").fill(ada.password);
  await dialog.getByRole("button", { name: "Apply given OAuth2 credentials" }).click();
  await expect(dialog.getByRole("button", { name: "Remove authorization" })).toBeVisible();
  await dialog.getByRole("button", { name: "Close", exact: true }).last().click();

  await page.screenshot({ path: `${settings.results}/pictures/docs.png` });
  const me = page.locator("#operations-users-read_me");
  await me.getByRole("button").first().click();
  await me.getByRole("button", { name: "Try it out" }).click();
  await me.getByRole("button", { name: "Execute" }).click();
  await expect(me.locator(".live-responses-table")).toContainText(ada.email);
});
