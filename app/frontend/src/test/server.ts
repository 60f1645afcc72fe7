/** The API as the tests see it: a stand-in at the level of the network. */

import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import type { Item, NewItem } from "../api/client";
import type { Config } from "../config";

export const API = "http://api.test";
export const ITEMS = `${API}/api/v1/items/`;

export const config: Config = {
  apiUrl: API,
  environment: "staging",
  version: "v1.4.0",
  projectName: "Shop",
};

export const server = setupServer(
  http.get(`${API}/api/v1/version`, () =>
    HttpResponse.json({ version: "v1.3.9", environment: "staging", project_name: "Shop" }),
  ),
);

export function item(id: number): Item {
  return { id, title: `Item ${id}`, description: null, created_at: "2026-01-02T03:04:05Z" };
}

/** An API with so many items, which can be added to. */
export function serveItems(count: number): Item[] {
  const items = Array.from({ length: count }, (_, index) => item(count - index));
  server.use(
    http.get(ITEMS, ({ request }) => {
      const query = new URL(request.url).searchParams;
      const skip = Number(query.get("skip"));
      const data = items.slice(skip, skip + Number(query.get("limit")));
      return HttpResponse.json({ data, count: items.length });
    }),
    http.post(ITEMS, async ({ request }) => {
      const { title, description = null } = (await request.json()) as NewItem;
      const added = { ...item(items.length + 1), title, description };
      items.unshift(added);
      return HttpResponse.json(added, { status: 201 });
    }),
  );
  return items;
}

/** The answer of an API that says no. */
export function problem(status: number, detail: string, errors: Record<string, string> = {}) {
  const body = { type: "about:blank", title: "Problem", status, detail, errors };
  return HttpResponse.json(body, {
    status,
    headers: { "content-type": "application/problem+json" },
  });
}
