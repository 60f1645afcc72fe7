import { HttpResponse, http, type JsonBodyType } from "msw";
import { expect, test } from "vitest";
import { loadConfig } from "./config";
import { server } from "./test/server";

const good = { apiUrl: "https://api.test/", environment: "staging", version: "v1" };

function serve(answer: () => Response) {
  server.use(http.get("/config.json", answer));
}

const json = (body: JsonBodyType) => () => HttpResponse.json(body);

test("the config is what the environment serves", async () => {
  serve(json({ ...good, projectName: "Shop", other: 1 }));
  const config = { ...good, apiUrl: "https://api.test", projectName: "Shop" };
  expect(await loadConfig()).toEqual(config);
});

test("the API is where the page came from when the environment says so", async () => {
  serve(json({ ...good, sameOrigin: true }));
  expect((await loadConfig()).apiUrl).toBe("");
});

test("a project without a name gets one", async () => {
  serve(json(good));
  expect((await loadConfig()).projectName).toBe("AppStack demo");
});

test.each<[string, () => Response, string]>([
  ["is missing", () => new HttpResponse(null, { status: 404 }), "status 404"],
  ["is unreachable", () => HttpResponse.error(), "can't be reached"],
  ["is a page", () => HttpResponse.html("<html>"), "not JSON"],
  ["is empty", json(null), "lacks apiUrl, environment, version"],
  ["lacks a key", json({ ...good, version: 7 }), "lacks version"],
])("a config that %s is told", async (_, answer, message) => {
  serve(answer);
  await expect(loadConfig()).rejects.toThrow(message);
});
