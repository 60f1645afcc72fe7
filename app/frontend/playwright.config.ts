/**
 * The stories of `e2e/`: the pages as people use them, in a real browser, against a stack that runs. `cargo xtask test`
 * brings the stack up and tells them; `e2e/settings.ts` says what they need to know of it.
 */

import { defineConfig, devices } from "@playwright/test";
import { flags, isRoot, program } from "./e2e/browser";
import { settings } from "./e2e/settings";

const { results, site } = settings;

export default defineConfig({
  testDir: "e2e",
  outputDir: `${results}/failures`,
  reporter: [["list"], ["json", { outputFile: `${results}/results.json` }]],
  // The stack runs on the same machine.
  workers: 2,
  fullyParallel: true,
  forbidOnly: true,
  timeout: 120_000,
  expect: { timeout: 10_000 },
  use: {
    ...devices["Desktop Chrome"],
    baseURL: site,
    locale: "en-GB",
    launchOptions: { executablePath: program(), args: flags(), chromiumSandbox: !isRoot() },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
  },
  projects: [
    { name: "stories", testDir: "e2e/stories" },
    // A release disturbs everybody who is on the site.
    { name: "release", testDir: "e2e/release", dependencies: ["stories"] },
    { name: "demo", testDir: "e2e/demo" },
  ],
});
