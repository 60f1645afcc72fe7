import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { getToken, logIn, renewToken } from "../session/token";
import { at, config, problem, server } from "../test/server";
import { ApiError, createApi, dataOf, describe } from "./client";

const api = () => createApi(config.apiUrl);
const readMe = () => dataOf(api().GET("/api/v1/users/me"));

function serveMe(answer: (request: Request) => Response | Promise<Response>) {
  server.use(http.get(at("/users/me"), ({ request }) => answer(request)));
}

test("the token goes with each request, once there is one", async () => {
  const sent: (string | null)[] = [];
  serveMe((request) => {
    sent.push(request.headers.get("authorization"));
    return HttpResponse.json({});
  });
  await readMe();
  logIn("abc");
  await readMe();
  expect(sent).toEqual([null, "Bearer abc"]);
});

test("a problem document says what is wrong, and with which field", async () => {
  serveMe(() => problem(422, "Some fields break a rule.", { email: "is taken" }));
  const error = await readMe().catch((error: unknown) => error as ApiError);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 422, fields: { email: "is taken" } });
  expect(describe(error as ApiError)).toBe("Some fields break a rule.");
});

test("an answer of something in between is told by its status", async () => {
  serveMe(() => HttpResponse.html("<html>Bad gateway", { status: 502 }));
  await expect(readMe()).rejects.toThrow("The API answered with status 502.");
});

test("an API that can't be reached is told as such", async () => {
  serveMe(() => HttpResponse.error());
  const error = await readMe().catch((error: unknown) => error as Error);
  expect(describe(error as Error)).toBe("The API can't be reached.");
});

test("an answer without content is a good one", async () => {
  server.use(http.delete(at("/users/me"), () => new HttpResponse(null, { status: 204 })));
  await expect(dataOf(api().DELETE("/api/v1/users/me"))).resolves.toBeUndefined();
});

test("a token that the API refuses is dropped", async () => {
  logIn("old");
  serveMe(() => problem(401, "The token is void."));
  await expect(readMe()).rejects.toThrow("The token is void.");
  expect(getToken()).toBeNull();
});

test("a late refusal of the old token leaves the new one alone", async () => {
  logIn("old");
  serveMe(() => {
    renewToken("new");
    return problem(401, "The token is void.");
  });
  await expect(readMe()).rejects.toThrow("The token is void.");
  expect(getToken()).toBe("new");
});
