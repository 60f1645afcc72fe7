/** The items of whoever is logged in. The only module that knows their keys in the cache. */

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ListPart, queryOf } from "./cache";
import { dataOf, type Item, type NewItem, useApi } from "./client";

const KEY = ["items"];

/** One page of the list. The page before stays in sight until the next one is there. */
export function useItems(part: ListPart) {
  return useItemQuery(queryOf(part));
}

/** The newest few, and how many there are in all. */
export function useLatestItems() {
  return useItemQuery({ skip: 0, limit: 5 });
}

function useItemQuery(query: { skip: number; limit: number; search?: string }) {
  const api = useApi();
  return useQuery({
    queryKey: [...KEY, query],
    queryFn: ({ signal }) => dataOf(api.GET("/api/v1/items/", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** Adds an item, or changes the one given. */
export function useSaveItem(item?: Item) {
  const api = useApi();
  return useItemMutation((body: NewItem) => {
    if (!item) return dataOf(api.POST("/api/v1/items/", { body }));
    const params = { path: { id: item.id } };
    return dataOf(api.PUT("/api/v1/items/{id}", { params, body }));
  });
}

export function useDeleteItem() {
  const api = useApi();
  return useItemMutation(({ id }: Item) =>
    dataOf(api.DELETE("/api/v1/items/{id}", { params: { path: { id } } })),
  );
}

function useItemMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: () => cache.invalidateQueries({ queryKey: KEY }),
  });
}
