/** What a page looks like, light and dark, on a desk and on a phone, and whether it keeps people out: WCAG 2.1 A and AA. */

import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { settings } from "./settings";

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
/** The last one is that of the stories. */
const LOOKS = [
  { name: "phone-dark", colorScheme: "dark", viewport: PHONE },
  { name: "phone", colorScheme: "light", viewport: PHONE },
  { name: "dark", colorScheme: "dark", viewport: DESKTOP },
  { name: "light", colorScheme: "light", viewport: DESKTOP },
] as const;
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];

/** What moves has come to rest. */
async function rests(page: Page) {
  await page.evaluate(() => {
    const moving = document.getAnimations().filter((it) => it.effect?.getTiming().iterations === 1);
    return Promise.allSettled(moving.map((it) => it.finished));
  });
}

/** Looks at the page as it is now in each look, and keeps a picture of each. */
export async function looksGood(page: Page, name: string) {
  for (const look of LOOKS) {
    await page.emulateMedia({ colorScheme: look.colorScheme });
    await page.setViewportSize(look.viewport);
    await rests(page);
    const path = `${settings.results}/pictures/${name}-${look.name}.png`;
    await page.screenshot({ path });
    const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((it) => it.html)}`);
    expect.soft(found, `${name} in ${look.name}`).toEqual([]);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect
      .soft(width, `the width of ${name} in ${look.name}`)
      .toBeLessThanOrEqual(look.viewport.width);
  }
}
