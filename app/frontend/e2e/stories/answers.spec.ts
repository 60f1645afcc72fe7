/** What the site answers: its headers, its certificate, and addresses that lead nowhere. */

import { chromium, type Response } from "@playwright/test";
import { isRoot, lookups, program } from "../browser";
import { enter } from "../people";
import { settings } from "../settings";
import { expect, test } from "../test";

function header(response: Response | null | undefined, name: string): string {
  return response?.headers()[name] ?? "";
}

test("pages are asked for each time, and assets only once", async ({ page }) => {
  const assets: Response[] = [];
  page.on("response", (response) => {
    if (new URL(response.url()).pathname.startsWith("/assets/")) assets.push(response);
  });
  for (const path of ["/", "/items", "/no/such/page"]) {
    const index = await page.goto(path);
    expect(index?.status(), path).toBe(200);
    expect(header(index, "content-type"), path).toContain("text/html");
    expect(header(index, "cache-control"), path).toBe("no-cache");
  }
  const config = await page.goto("/config.json");
  expect(header(config, "cache-control")).toBe("no-store");
  expect(await config?.json()).toMatchObject({ apiUrl: settings.api });
  expect(assets.length).toBeGreaterThan(1);
  for (const asset of assets)
    expect(header(asset, "cache-control"), asset.url()).toBe("public, max-age=31536000, immutable");
});

test("an asset that is gone is no page", async ({ page, watch }) => {
  watch.expects(404, /^\/assets\/gone-.*\.js$/);
  const answer = await page.goto("/assets/gone-0123abcd.js");
  expect(answer?.status()).toBe(404);
  expect(header(answer, "content-type")).toContain("text/plain");
  expect(header(answer, "cache-control")).toBe("no-store");
});

test("the page may load nothing but its own and may not be framed", async ({ page, watch }) => {
  const index = await page.goto("/login");
  const policy = header(index, "content-security-policy");
  for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
    expect(policy).toContain(rule);
  expect(policy).not.toContain("unsafe");
  expect(header(index, "x-content-type-options")).toBe("nosniff");
  expect(header(index, "x-frame-options")).toBe("DENY");
  expect(header(index, "referrer-policy")).not.toBe("");
  // The policy is in force: an inline script does not run.
  watch.expectsError(/inline script violates/);
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.inline_ran = true";
    return new Promise((done) => {
      document.addEventListener("securitypolicyviolation", () => done("inline_ran" in window));
      document.head.append(script);
    });
  });
  expect(ran).toBe(false);
});

test("an address that leads nowhere says so", async ({ page }) => {
  await enter(page);
  await page.goto("/no/such/page");
  await expect(page.getByRole("heading", { name: /not found/i })).toBeVisible();
});

test("a browser that was not told of the certificate refuses it", async () => {
  const browser = await chromium.launch({
    executablePath: program(),
    args: lookups(),
    chromiumSandbox: !isRoot(),
  });
  const stranger = await browser.newPage();
  await expect(stranger.goto(settings.site)).rejects.toThrow("net::ERR_CERT_AUTHORITY_INVALID");
  await browser.close();
});
