/** Whoever is logged in: who that is, and what they can change of themselves. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { logOut, renewToken } from "../session/token";
import { dataOf, type User, useApi } from "./client";

const KEY = ["me"];

export function useMeQuery() {
  const api = useApi();
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => dataOf(api.GET("/api/v1/users/me", { signal })),
  });
}

export const MeContext = createContext<User | null>(null);

/** Who is logged in. Known to every page that only they can see. */
export function useMe(): User {
  const me = useContext(MeContext);
  if (!me) throw new Error("There is no MeContext above this component.");
  return me;
}

export function useChangeMe() {
  const api = useApi();
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (body: { email: string; full_name: string | null }) =>
      dataOf(api.PATCH("/api/v1/users/me", { body })),
    onSuccess: (me) => cache.setQueryData(KEY, me),
  });
}

/** All older tokens are void then, so that other devices are logged out; this one goes on with a new one. */
export function useChangePassword() {
  const api = useApi();
  return useMutation({
    mutationFn: (body: { current_password: string; new_password: string }) =>
      dataOf(api.PATCH("/api/v1/users/me/password", { body })),
    onSuccess: (token) => renewToken(token.access_token),
  });
}

export function useDeleteMe() {
  const api = useApi();
  return useMutation({
    mutationFn: () => dataOf(api.DELETE("/api/v1/users/me")),
    onSuccess: logOut,
  });
}
