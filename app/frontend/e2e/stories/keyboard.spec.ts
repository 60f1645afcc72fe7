/** Somebody has no mouse. */

import type { Locator, Page } from "@playwright/test";
import { enter, member } from "../people";
import { expect, test } from "../test";

/** No page has more places to stop at. */
const FAR = 60;

/** Goes on with the tabulator until something has the focus. */
async function tabTo(page: Page, goal: Locator) {
  await expect(goal).toBeVisible();
  for (let step = 0; step < FAR; step += 1) {
    if (await goal.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${FAR} steps with the tabulator do not lead to ${goal}`);
}

test("logging in, adding and deleting an item need no mouse", async ({ page }) => {
  const ada = await member(page);
  await page.goto("/login");
  await tabTo(page, page.getByLabel("Email"));
  await page.keyboard.type(ada.email);
  await tabTo(page, page.getByLabel("Password", { exact: true }));
  await page.keyboard.type(ada.password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: /^Hi, / })).toBeVisible();

  await tabTo(page, page.getByRole("navigation").getByRole("link", { name: "Items" }));
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Items" })).toBeVisible();
  const add = page.getByRole("button", { name: "Add item" }).first();
  await tabTo(page, add);
  await page.keyboard.press("Enter");
  const adding = page.getByRole("dialog", { name: "Add item" });
  await tabTo(page, adding.getByLabel("Title"));
  await page.keyboard.type("By hand");
  await tabTo(page, adding.getByRole("button", { name: "Save" }));
  await page.keyboard.press("Enter");
  await expect(adding).toBeHidden();
  await expect(page.getByRole("row").filter({ hasText: "By hand" })).toBeVisible();

  const actions = page.getByRole("button", { name: "Actions for By hand" });
  await tabTo(page, actions);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("menuitem", { name: "Edit" })).toBeFocused();
  await page.keyboard.press("Escape");
  // Who closes a menu is where it was opened.
  await expect(actions).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("menuitem", { name: "Edit" })).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("menuitem", { name: "Delete" })).toBeFocused();
  await page.keyboard.press("Enter");
  const question = page.getByRole("alertdialog");
  await tabTo(page, question.getByRole("button", { name: "Delete" }));
  await page.keyboard.press("Enter");
  await expect(question).toBeHidden();
  await expect(page.getByText("By hand", { exact: true })).toHaveCount(0);
});

test("a dialog keeps the focus and gives it back", async ({ page }) => {
  await enter(page);
  await page.goto("/items");
  const add = page.getByRole("button", { name: "Add item" }).first();
  await tabTo(page, add);
  await page.keyboard.press("Enter");
  const adding = page.getByRole("dialog", { name: "Add item" });
  await expect(adding).toBeVisible();
  for (let step = 0; step < 12; step += 1) {
    await page.keyboard.press("Tab");
    const isInside = () => adding.evaluate((it) => it.contains(document.activeElement));
    await expect.poll(isInside, { message: `after ${step + 1} steps` }).toBe(true);
  }
  await page.keyboard.press("Escape");
  await expect(adding).toBeHidden();
  await expect(add).toBeFocused();
});
