/** A small API for the tests: it knows one token, and keeps users and items as the real one does. */

import { HttpResponse, http } from "msw";
import type { Item, NewItem, NewUser, User, UserChange } from "../api/client";
import { at, problem, server } from "./server";

export const TOKEN = "the-token";

export function item(title: string, part: Partial<Item> = {}): Item {
  return {
    id: crypto.randomUUID(),
    title,
    description: null,
    owner_id: "1",
    created_at: "2026-01-02T03:04:05Z",
    updated_at: "2026-01-02T03:04:05Z",
    ...part,
  };
}

export function user(email: string, part: Partial<User> = {}): User {
  return {
    id: crypto.randomUUID(),
    email,
    full_name: null,
    is_active: true,
    is_superuser: false,
    created_at: "2026-01-02T03:04:05Z",
    ...part,
  };
}

interface State {
  me?: User;
  items?: Item[];
  users?: User[];
}

/** Serves what is given, newest first, and changes it as it is told. */
export function serveApi({
  me = user("ann@example.com", { full_name: "Ann Ames" }),
  items = [],
  users = [],
}: State = {}) {
  const state = { me, items, users: [me, ...users] };
  server.use(...accountRoutes(state), ...itemRoutes(state), ...userRoutes(state));
  return state;
}

type Served = Required<State>;
type Handler = Parameters<typeof http.get>[1];

/** Only for who shows the token. */
function guarded(handler: Handler): Handler {
  return (info) => {
    const isKnown = info.request.headers.get("authorization") === `Bearer ${TOKEN}`;
    return isKnown ? handler(info) : problem(401, "Log in first.");
  };
}

function accountRoutes(state: Served) {
  return [
    http.post(at("/login/access-token"), async ({ request }) => {
      const form = new URLSearchParams(await request.text());
      const isRight = form.get("username") === state.me.email && form.get("password") === "right";
      if (!isRight) return problem(400, "The email address or the password is wrong.");
      return HttpResponse.json({ access_token: TOKEN, token_type: "bearer", expires_in: 86400 });
    }),
    http.get(
      at("/users/me"),
      guarded(() => HttpResponse.json(state.me)),
    ),
    http.patch(
      at("/users/me"),
      guarded(async ({ request }) => {
        Object.assign(state.me, await request.json());
        return HttpResponse.json(state.me);
      }),
    ),
  ];
}

function itemRoutes(state: Served) {
  return [
    http.get(
      at("/items/"),
      guarded(({ request }) => {
        const found = (search: string) => state.items.filter(({ title }) => title.includes(search));
        return HttpResponse.json(partOf(found, request));
      }),
    ),
    http.post(
      at("/items/"),
      guarded(async ({ request }) => {
        const { title, description = null } = (await request.json()) as NewItem;
        const added = item(title, { description });
        state.items.unshift(added);
        return HttpResponse.json(added, { status: 201 });
      }),
    ),
    http.put(
      at("/items/:id"),
      guarded(async ({ request, params }) => {
        const it = state.items.find(({ id }) => id === params.id);
        return HttpResponse.json(Object.assign(it ?? {}, await request.json()));
      }),
    ),
    http.delete(
      at("/items/:id"),
      guarded(({ params }) => {
        state.items = state.items.filter(({ id }) => id !== params.id);
        return new HttpResponse(null, { status: 204 });
      }),
    ),
  ];
}

function userRoutes(state: Served) {
  return [
    http.get(
      at("/users/"),
      guarded(({ request }) => {
        const found = (search: string) => state.users.filter(({ email }) => email.includes(search));
        return HttpResponse.json(partOf(found, request));
      }),
    ),
    http.post(
      at("/users/"),
      guarded(async ({ request }) => {
        const { password: _, ...body } = (await request.json()) as NewUser;
        const added = user(body.email, body);
        state.users.unshift(added);
        return HttpResponse.json(added, { status: 201 });
      }),
    ),
    http.patch(
      at("/users/:id"),
      guarded(async ({ request, params }) => {
        const it = state.users.find(({ id }) => id === params.id);
        return HttpResponse.json(Object.assign(it ?? {}, (await request.json()) as UserChange));
      }),
    ),
    http.delete(
      at("/users/:id"),
      guarded(({ params }) => {
        state.users = state.users.filter(({ id }) => id !== params.id);
        return new HttpResponse(null, { status: 204 });
      }),
    ),
  ];
}

function partOf<T>(find: (search: string) => T[], request: Request) {
  const query = new URL(request.url).searchParams;
  const found = find(query.get("search") ?? "");
  const skip = Number(query.get("skip"));
  return { data: found.slice(skip, skip + Number(query.get("limit"))), count: found.length };
}
