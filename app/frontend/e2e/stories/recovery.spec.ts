/** Somebody has forgotten the password, and a mail helps. */

import { linkTo, mailsTo, mailTo } from "../mail";
import { fillIn, logIn, member, somebody } from "../people";
import { settings } from "../settings";
import { expect, test } from "../test";

const ON_ITS_WAY = "If there is an account for that address, a link is on its way.";

test("a link in a mail sets a new password, once", async ({ page, watch }) => {
  const ada = await member(page);
  await page.goto("/login");
  await page.getByRole("link", { name: "Forgot password?" }).click();
  await expect(page.getByRole("heading", { name: "Recover password" })).toBeVisible();
  await page.getByLabel("Email").fill(ada.email);
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByRole("status").filter({ hasText: ON_ITS_WAY })).toBeVisible();

  const mail = await mailTo(ada.email);
  const link = linkTo("/reset-password", mail);
  // Whoever reads the mail as a page finds the same link.
  expect(mail.HTML.replaceAll("&amp;", "&").includes(link)).toBe(true);
  await page.goto(link);
  await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
  const password = `${ada.password}, new`;
  await page.getByLabel("New password", { exact: true }).fill(password);
  await page.getByLabel("Confirm new password").fill(password);
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: /password/i })).toBeVisible();

  watch.expects(400, /\/login\/access-token$/);
  await fillIn(page, ada.email, ada.password);
  await expect(page.getByRole("alert")).toBeVisible();
  await logIn(page, { ...ada, password });
  await page.getByRole("button", { name: "Account menu" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();

  watch.expects(400, /\/reset-password\/$/);
  await page.goto(link);
  await page.getByLabel("New password", { exact: true }).fill(`${password}er`);
  await page.getByLabel("Confirm new password").fill(`${password}er`);
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await logIn(page, { ...ada, password });

  // The link in the picture is of no more use.
  await page.goto("about:blank");
  await page.setContent(mail.HTML);
  await page.screenshot({ path: `${settings.results}/pictures/mail.png` });
});

test("nobody learns whether there is an account", async ({ page }) => {
  const nobody = somebody();
  await page.goto("/recover-password");
  await page.getByLabel("Email").fill(nobody.email);
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByRole("status").filter({ hasText: ON_ITS_WAY })).toBeVisible();
  // Mails are sent in turn: once this one is there, one to nobody would be too.
  const ada = await member(page);
  await page.goto("/recover-password");
  await page.getByLabel("Email").fill(ada.email);
  await page.getByRole("button", { name: "Send the link" }).click();
  await mailTo(ada.email);
  expect(await mailsTo(nobody.email)).toEqual([]);
});
