/** Who uses the site, and how they get in. */

import { randomUUID } from "node:crypto";
import { expect, type Page } from "@playwright/test";
import { settings } from "./settings";

export interface Person {
  full_name: string;
  email: string;
  password: string;
}

/** Somebody whom nobody knows yet. */
export function somebody(full_name = "Ada Lovelace"): Person {
  const mark = randomUUID().slice(0, 8);
  return { full_name, email: `ada-${mark}@example.com`, password: `correct horse ${mark}` };
}

/** Somebody who has signed up. */
export async function member(page: Page, person = somebody()): Promise<Person> {
  await call(page, "POST", "/users/signup", person);
  return person;
}

/** Somebody who has signed up and logged in. */
export async function enter(page: Page): Promise<Person> {
  const person = await member(page);
  await logIn(page, person);
  return person;
}

export async function logIn(page: Page, { email, password }: Pick<Person, "email" | "password">) {
  await page.goto("/login");
  await fillIn(page, email, password);
  await expect(page.getByRole("heading", { name: /^Hi, / })).toBeVisible();
}

export async function fillIn(page: Page, email: string, password: string) {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

export async function logOut(page: Page) {
  await page.getByRole("button", { name: "Account menu" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
}

/** Adds many items at once, as the pages themselves would. */
export async function ownItems(page: Page, person: Person, titles: string[]) {
  const form = new URLSearchParams({ username: person.email, password: person.password });
  const { access_token } = await call(page, "POST", "/login/access-token", form);
  for (const title of titles) await call(page, "POST", "/items/", { title }, access_token);
}

/** Asks the API from a page of the site, so that its certificate and its rules for other origins count. */
async function call(
  page: Page,
  method: string,
  path: string,
  body: object | URLSearchParams,
  token?: string,
): Promise<{ access_token: string }> {
  if (!page.url().startsWith(settings.site)) await page.goto("/login");
  const isForm = body instanceof URLSearchParams;
  const request = {
    url: `${settings.api}/api/v1${path}`,
    method,
    headers: {
      "content-type": isForm ? "application/x-www-form-urlencoded" : "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: isForm ? body.toString() : JSON.stringify(body),
  };
  return page.evaluate(async ({ url, ...rest }) => (await fetch(url, rest)).json(), request);
}
