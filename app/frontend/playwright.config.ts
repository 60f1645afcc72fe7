/**
 * The stories of `e2e/`: the pages as people use them, in a real browser, against a stack that runs. `cargo xtask test`
 * brings the stack up and tells them; `e2e/settings.ts` says what they need to know of it.
 */

import { defineConfig, devices } from "@playwright/test";
import { flags, isRoot, program } from "./e2e/browser";
import { settings } from "./e2e/settings";

const { results } = settings;
const launch = { executablePath: program(), chromiumSandbox: !isRoot() };

const withoutPictures = { mode: "retain-on-failure", screenshots: false, snapshots: true } as const;

/** Stories of people who know the stack: their browser trusts its certificate. */
function ours() {
  const use = { baseURL: settings.site, launchOptions: { ...launch, args: flags() } };
  return [
    { name: "stories", testDir: "e2e/stories", use },
    // A release disturbs everybody who is on the site.
    { name: "release", testDir: "e2e/release", dependencies: ["stories"], use },
    // Who waits for the demo does not wait for pictures of a story that goes well.
    { name: "demo", testDir: "e2e/demo", use: { ...use, trace: withoutPictures } },
  ];
}

/** Stories of somebody who has only been told where to click: the browser is as it comes. */
function strangers() {
  const use = { launchOptions: { ...launch, args: ["--disable-gpu"] } };
  return ["addresses", "trusting"].map((name) => ({ name, testDir: `e2e/${name}`, use }));
}

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
    locale: "en-GB",
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
  },
  projects: settings.areAddressesTold ? strangers() : ours(),
});
