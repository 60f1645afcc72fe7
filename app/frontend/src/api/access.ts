/** How people get in: log in, sign up, and find back when the password is lost. */

import { useMutation } from "@tanstack/react-query";
import { logIn } from "../session/token";
import { type Api, dataOf, useApi } from "./client";

interface Credentials {
  email: string;
  password: string;
}

export function useLogIn() {
  const api = useApi();
  return useMutation({ mutationFn: (credentials: Credentials) => enter(api, credentials) });
}

/** Whoever has signed up is logged in as well. */
export function useSignUp() {
  const api = useApi();
  return useMutation({
    mutationFn: async (body: Credentials & { full_name: string | null }) => {
      await dataOf(api.POST("/api/v1/users/signup", { body }));
      await enter(api, body);
    },
  });
}

export function useRecoverPassword() {
  const api = useApi();
  return useMutation({
    mutationFn: (email: string) =>
      dataOf(api.POST("/api/v1/password-recovery/", { body: { email } })),
  });
}

export function useResetPassword() {
  const api = useApi();
  return useMutation({
    mutationFn: (body: { token: string; new_password: string }) =>
      dataOf(api.POST("/api/v1/reset-password/", { body })),
  });
}

async function enter(api: Api, { email, password }: Credentials) {
  const answer = await dataOf(
    api.POST("/api/v1/login/access-token", {
      body: { username: email, password },
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    }),
  );
  logIn(answer.access_token);
}
