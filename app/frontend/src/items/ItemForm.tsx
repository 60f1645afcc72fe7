/** The form of a dialog that adds an item or changes one. */

import * as z from "zod/mini";
import type { Item } from "../api/client";
import { useSaveItem } from "../api/items";
import { description, orNull, title } from "../rules";
import { DialogActions } from "../ui/Dialog";
import { TextArea, TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { useApiForm } from "../ui/useApiForm";

const rules = z.object({ title, description });

interface Props {
  /** The item to change; without one, an item is added. */
  item?: Item;
  onSaved: (item: Item) => void;
}

export function ItemForm({ item, onSaved }: Props) {
  const save = useSaveItem(item);
  const form = useApiForm({
    rules,
    start: { title: item?.title ?? "", description: item?.description ?? "" },
    send: async ({ title, description }) =>
      onSaved(await save.mutateAsync({ title, description: orNull(description) })),
  });
  return (
    <Form onSubmit={form.submit} alert={form.alert}>
      <TextField label="Title" autoComplete="off" {...form.field("title")} />
      <TextArea label="Description" isOptional {...form.field("description")} />
      <DialogActions isBusy={form.isBusy}>Save</DialogActions>
    </Form>
  );
}
