/** All users, for superusers. The only module that knows their keys in the cache. */

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ListPart, queryOf } from "./cache";
import { dataOf, type NewUser, type User, type UserChange, useApi } from "./client";

const KEY = ["users"];

/** One page of the list. The page before stays in sight until the next one is there. */
export function useUsers(part: ListPart) {
  const api = useApi();
  const query = queryOf(part);
  return useQuery({
    queryKey: [...KEY, query],
    queryFn: ({ signal }) => dataOf(api.GET("/api/v1/users/", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export function useAddUser() {
  const api = useApi();
  return useUserMutation((body: NewUser) => dataOf(api.POST("/api/v1/users/", { body })));
}

export function useChangeUser({ id }: User) {
  const api = useApi();
  const params = { path: { id } };
  return useUserMutation((body: UserChange) =>
    dataOf(api.PATCH("/api/v1/users/{id}", { params, body })),
  );
}

export function useDeleteUser() {
  const api = useApi();
  return useUserMutation(({ id }: User) =>
    dataOf(api.DELETE("/api/v1/users/{id}", { params: { path: { id } } })),
  );
}

export function useSendTestMail() {
  const api = useApi();
  return useMutation({
    mutationFn: (email: string) =>
      dataOf(api.POST("/api/v1/utils/test-email/", { body: { email } })),
  });
}

function useUserMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: () => cache.invalidateQueries({ queryKey: KEY }),
  });
}
