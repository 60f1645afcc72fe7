import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { afterEach, expect, test, vi } from "vitest";
import { serveApi } from "../test/api";
import { config, server } from "../test/server";
import { heading, open, watchReloads } from "../test/site";

const NEWS = "A new version is available.";

function serveVersion(version: string) {
  server.use(http.get("/config.json", () => HttpResponse.json({ ...config, version })));
}

/** Someone comes back to the tab. */
function comeBack() {
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}

afterEach(() => {
  vi.useRealTimers();
});

test("who comes back to the tab learns of a new version, and can load it", async () => {
  serveApi();
  const reload = watchReloads();
  const site = open("/");
  await heading("Hi, Ann Ames");
  serveVersion("v1.5.0");
  expect(screen.queryByText(NEWS)).toBeNull();
  comeBack();

  const news = await screen.findByText(NEWS);
  expect(news.closest("[role=status]")).toBeVisible();
  await site.click(screen.getByRole("button", { name: "Reload" }));
  expect(reload).toHaveBeenCalledOnce();
});

test("a new version is looked for each minute", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  serveApi();
  serveVersion("v1.5.0");
  open("/login", { isLoggedIn: false });
  await heading("Log in");
  await vi.advanceTimersByTimeAsync(50_000);
  expect(screen.queryByText(NEWS)).toBeNull();
  await vi.advanceTimersByTimeAsync(11_000);
  expect(await screen.findByText(NEWS)).toBeVisible();
});

test("a new version that is put off is offered again only when there is another", async () => {
  serveApi();
  const site = open("/");
  await heading("Hi, Ann Ames");
  serveVersion("v1.5.0");
  comeBack();
  await screen.findByText(NEWS);
  await site.click(screen.getByRole("button", { name: "Later" }));
  expect(screen.queryByText(NEWS)).toBeNull();

  serveVersion("v1.6.0");
  comeBack();
  expect(await screen.findByText(NEWS)).toBeVisible();
});

test("a config that can't be had for a while is no news", async () => {
  serveApi();
  open("/");
  await heading("Hi, Ann Ames");
  let asked = 0;
  server.use(
    http.get("/config.json", () => {
      asked += 1;
      return new HttpResponse(null, { status: 503 });
    }),
  );
  comeBack();
  await waitFor(() => expect(asked).toBeGreaterThan(0));
  expect(screen.queryByText(NEWS)).toBeNull();
  expect(screen.getByRole("heading", { level: 1 })).toHaveTextContent("Hi, Ann Ames");
});
