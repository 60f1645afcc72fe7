/** A release takes over while people are on the site. None of them is left with a page that no longer works. */

import type { Page } from "@playwright/test";
import { looksGood } from "../looks";
import { enter } from "../people";
import { release } from "../release";
import { expect, test } from "../test";

const NEXT = "next";

/** What a browser tells a page that somebody comes back to. */
async function comesBack(page: Page) {
  await page.evaluate(() =>
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true })),
  );
}

async function version(page: Page): Promise<string> {
  return page.evaluate(async () => (await (await fetch("/config.json")).json()).version);
}

test("a page that is open learns of a release, and goes on with it", async ({ page }) => {
  test.setTimeout(240_000);
  const ada = await enter(page);
  const other = await page.context().newPage();
  await other.goto("/");
  await expect(other.getByRole("heading", { name: `Hi, ${ada.full_name}` })).toBeVisible();
  const notice = page.getByRole("status").filter({ hasText: "A new version is available." });
  await comesBack(page);
  expect(await version(page)).not.toBe(NEXT);
  await expect(notice).toBeHidden();

  await release(NEXT);
  // The ingress controller takes leave of an old pod a moment after it is gone.
  await expect.poll(() => version(page)).toBe(NEXT);
  await comesBack(page);
  await expect(notice).toBeVisible();
  await looksGood(page, "new-version");

  // What the old page has not loaded yet is served on.
  await other.getByRole("link", { name: "Settings" }).first().click();
  await expect(other.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();

  const assets: string[] = [];
  page.on("request", (request) => assets.push(new URL(request.url()).pathname));
  await notice.getByRole("button", { name: "Reload" }).click();
  await expect(page.getByRole("heading", { name: `Hi, ${ada.full_name}` })).toBeVisible();
  await expect(notice).toBeHidden();
  // The new page is made of the new assets.
  expect(assets.filter((it) => it.startsWith("/assets/next/")).length).toBeGreaterThan(0);
});
