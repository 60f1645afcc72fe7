import { captureException } from "@sentry/browser";
import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import { startSentry } from "./sentry";
import { config, server } from "./test/server";

test("an error is reported with its release, and with nothing of the person", async () => {
  const reports: string[] = [];
  server.use(
    http.post("https://sentry.test/api/7/envelope/", async ({ request }) => {
      reports.push(await request.text());
      return HttpResponse.json({});
    }),
    http.get("https://api.test/users", () => HttpResponse.json({})),
  );
  window.history.replaceState(null, "", "/reset-password?from=secret-page#token=secret-token");
  startSentry({ ...config, sentryDsn: "https://key@sentry.test/7" });
  window.history.pushState(null, "", "/items?search=secret-search");
  await fetch("https://api.test/users?search=secret-name");
  document.body.innerHTML = "<button aria-label='Actions for secret-item'></button>";
  document.querySelector("button")?.click();
  captureException(new Error("It broke."));

  await vi.waitFor(() => expect(reports.join()).toContain("It broke."));
  const [report = ""] = reports.filter((text) => text.includes("It broke."));
  expect(report).toContain('"release":"v1.4.0"');
  expect(report).toContain('"environment":"staging"');
  // What led to it is told, without what addresses can hold.
  expect(report).toContain('"/items"');
  expect(report).toContain("https://api.test/users");
  expect(report).not.toContain("secret");
});
