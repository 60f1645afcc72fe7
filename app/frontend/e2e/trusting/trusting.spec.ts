/** The same addresses in a browser that was told by `cargo xtask trust` whose certificates to believe. */

import { settings } from "../settings";
import { expect, test } from "../test";

test("no address asks about its certificate", async ({ page }) => {
  const encrypted = settings.addresses.filter((it) => it.url.startsWith("https:"));
  expect(encrypted.length).toBeGreaterThan(1);
  for (const { url, shows } of encrypted) {
    await page.goto(url);
    await expect(page.locator("body"), url).toContainText(shows);
  }
});
