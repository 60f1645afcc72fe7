/** The pages are light or dark, as somebody likes. */

import type { Page } from "@playwright/test";
import { enter } from "../people";
import { expect, test } from "../test";

/** How bright the ground of the page is, from 0 to 1. */
const BRIGHTNESS = `(() => {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.fillStyle = getComputedStyle(document.body ?? document.documentElement).backgroundColor;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
  return alpha === 0 ? null : (red + green + blue) / 765;
})()`;

/** Writes down the brightness of every frame from the first on. */
const WRITE_DOWN = `
  window.frames_seen = [];
  const look = () => {
    if (document.body) window.frames_seen.push(${BRIGHTNESS});
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
`;

async function brightness(page: Page): Promise<number> {
  return page.evaluate<number>(BRIGHTNESS);
}

test("the choice of dark lasts, without a flash of light", async ({ page }) => {
  await enter(page);
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("/settings");
  expect(await brightness(page)).toBeGreaterThan(0.8);
  await page.getByRole("tab", { name: "Appearance" }).click();
  await page.getByRole("radio", { name: "Dark" }).click();
  await expect.poll(() => brightness(page)).toBeLessThan(0.25);

  await page.addInitScript(WRITE_DOWN);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Settings", level: 1 })).toBeVisible();
  const seen = await page.evaluate<(number | null)[]>("window.frames_seen");
  expect(seen.length).toBeGreaterThan(1);
  const bright = seen.filter((it) => it === null || it > 0.25);
  expect(bright, `bright frames among ${seen}`).toEqual([]);

  await page.getByRole("tab", { name: "Appearance" }).click();
  await expect(page.getByRole("radio", { name: "Dark" })).toBeChecked();
  await page.getByRole("radio", { name: "Light" }).click();
  await expect.poll(() => brightness(page)).toBeGreaterThan(0.8);
});

test("without a choice the pages follow the system", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto("/login");
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  expect(await brightness(page)).toBeLessThan(0.25);
  await page.emulateMedia({ colorScheme: "light" });
  await expect.poll(() => brightness(page)).toBeGreaterThan(0.8);
});
