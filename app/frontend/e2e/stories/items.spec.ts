/** Somebody keeps a list of items. */

import type { Page } from "@playwright/test";
import { enter, logIn, logOut, member, ownItems } from "../people";
import { expect, test } from "../test";

/** More than one page of the table holds. */
const MANY = Array.from({ length: 25 }, (_, index) => `Number ${index + 1}`);

function row(page: Page, title: string) {
  return page.getByRole("row").filter({ hasText: title });
}

async function choose(page: Page, title: string, action: string) {
  await page.getByRole("button", { name: `Actions for ${title}` }).click();
  await page.getByRole("menuitem", { name: action }).click();
}

test("an item is added, changed and deleted", async ({ page }) => {
  const me = await enter(page);
  await page.goto("/items");
  await page.getByRole("button", { name: "Add item" }).first().click();
  const adding = page.getByRole("dialog", { name: "Add item" });
  await adding.getByLabel("Title").fill("A <b>bold</b> plan");
  await adding.getByLabel("Description").fill("Written by a hand that types.");
  await adding.getByRole("button", { name: "Save" }).click();
  await expect(adding).toBeHidden();
  await expect(row(page, "A <b>bold</b> plan")).toBeVisible();

  await choose(page, "A <b>bold</b> plan", "Edit");
  const editing = page.getByRole("dialog", { name: "Edit item" });
  await expect(editing.getByLabel("Description")).toHaveValue("Written by a hand that types.");
  await editing.getByLabel("Title").fill("A plain plan");
  await editing.getByRole("button", { name: "Save" }).click();
  await expect(row(page, "A plain plan")).toBeVisible();

  // What the page shows is what the API keeps, for nobody else.
  await page.reload();
  await expect(row(page, "A plain plan")).toBeVisible();
  await logOut(page);
  await logIn(page, await member(page));
  await page.goto("/items");
  await expect(page.getByRole("heading", { name: "Items" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Add item" }).first()).toBeVisible();
  await expect(page.getByText("A plain plan")).toHaveCount(0);
  await logOut(page);
  await logIn(page, me);

  await page.goto("/items");
  await choose(page, "A plain plan", "Delete");
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("alertdialog")).toBeHidden();
  await expect(page.getByText("A plain plan", { exact: true })).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("button", { name: "Add item" }).first()).toBeVisible();
  await expect(page.getByText("A plain plan", { exact: true })).toHaveCount(0);
});

test("an item without a title is not saved", async ({ page }) => {
  await enter(page);
  await page.goto("/items");
  await page.getByRole("button", { name: "Add item" }).first().click();
  const adding = page.getByRole("dialog", { name: "Add item" });
  await adding.getByLabel("Title").fill("   ");
  await adding.getByRole("button", { name: "Save" }).click();
  await expect(adding.getByLabel("Title")).toHaveAttribute("aria-invalid", "true");
  await page.keyboard.press("Escape");
  await expect(adding).toBeHidden();
});

test("a long list has pages, and a search finds its way through them", async ({ page }) => {
  const me = await enter(page);
  await ownItems(page, me, MANY);
  await page.goto("/items");
  // Newest first.
  await expect(row(page, "Number 25")).toBeVisible();
  await expect(page.getByRole("button", { name: "Actions for Number 1", exact: true })).toHaveCount(
    0,
  );
  await expect(page.getByRole("button", { name: "Previous page" })).toBeDisabled();
  const next = page.getByRole("button", { name: "Next page" });
  const first = page.getByRole("row").nth(1);
  while (await next.isEnabled()) {
    const newer = (await first.textContent()) ?? "";
    await next.click();
    await expect(first).not.toHaveText(newer);
  }
  const oldest = page.getByRole("button", { name: "Actions for Number 1", exact: true });
  await expect(oldest).toBeVisible();
  // A page of the list has an address of its own.
  await page.reload();
  await expect(oldest).toBeVisible();
  await page.goBack();
  await expect(oldest).toHaveCount(0);
  await expect(first).toContainText("Number ");

  await page.getByRole("searchbox", { name: "Search items" }).fill("number 17");
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(row(page, "Number 17")).toBeVisible();
  await page.getByRole("searchbox", { name: "Search items" }).fill("no such thing");
  await expect(row(page, "Number 17")).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Search items" }).fill("");
  await expect(row(page, "Number 25")).toBeVisible();
});
