/**
 * The addresses that `cargo xtask demo` prints, in a browser that knows no certificate of the stack and asks DNS for nothing:
 * what somebody sees who clicks on them for the first time.
 */

import type { Page } from "@playwright/test";
import { fillIn } from "../people";
import { settings } from "../settings";
import { expect, test } from "../test";

test("every address that is printed opens, with one question about a certificate", async ({
  page,
  watch,
}) => {
  watch.expectsError(/ERR_CERT_AUTHORITY_INVALID/);
  // Traefik's pages ask for advertisements outside, wherever this runs in vain.
  await page.context().route(/traefik\.github\.io/, (route) => route.abort());
  watch.expectsError(/hub-ui-demo-app|Worker/);
  let questions = 0;
  for (const [place, { url, shows }] of settings.addresses.entries()) {
    questions += await open(page, url);
    await expect(page.locator("body"), url).toContainText(shows);
    await page.screenshot({ path: `${settings.results}/pictures/${place}.png` });
  }
  expect(questions).toBe(1);

  const site = address("site");
  await logIn(page, site);
  // Its API is described where the site is.
  await page.getByRole("link", { name: "API documentation" }).click();
  await expect(page).toHaveURL(`${site}/docs/`);
});

test("who comes without TLS logs in and is asked nothing", async ({ page }) => {
  const site = address("without TLS");
  await page.goto(site);
  await logIn(page, site);
  await page.goto(`${site}/items`);
  await expect(page.getByRole("heading", { name: "Items" })).toBeVisible();
});

/** Opens an address, and says yes to as many questions about a certificate as come up, whose number it gives. */
async function open(page: Page, url: string): Promise<number> {
  const isAsked = await page.goto(url).then(
    () => false,
    (error: Error) => {
      if (!error.message.includes("ERR_CERT")) throw error;
      return true;
    },
  );
  if (!isAsked) return 0;
  await page.locator("#details-button").click();
  await page.locator("#proceed-link").click();
  await page.waitForURL((it) => it.href.startsWith(url));
  return 1;
}

async function logIn(page: Page, site: string) {
  await page.goto(`${site}/login`);
  const { email, password } = settings.superuser;
  await fillIn(page, email, password);
  await expect(page.getByRole("heading", { name: /^Hi, / })).toBeVisible();
}

/** The address of something that is printed. */
function address(what: string): string {
  const found = settings.addresses.find((it) => it.what === what);
  if (!found) throw new Error(`no address of ${what} is printed`);
  return found.url;
}
