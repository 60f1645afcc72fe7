/** Adds an item by its title alone. */

import * as z from "zod/mini";
import { useSaveItem } from "../api/items";
import { title } from "../rules";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { notify } from "../ui/Notices";
import { useApiForm } from "../ui/useApiForm";

const rules = z.object({ title });

export function QuickAdd() {
  const save = useSaveItem();
  const form = useApiForm({
    rules,
    start: { title: "" },
    send: async ({ title }) => {
      await save.mutateAsync({ title });
      notify(`“${title}” was added.`);
      // Ready for the next.
      form.reset();
      form.setFocus("title");
    },
  });
  return (
    <section aria-labelledby="quick-add" className="card p-5">
      <h2 id="quick-add" className="mb-4 font-semibold">
        Quick add
      </h2>
      <Form onSubmit={form.submit} alert={form.alert}>
        <TextField
          label="Title"
          autoComplete="off"
          placeholder="Something to remember"
          {...form.field("title")}
        />
        <Button type="submit" look="primary" busy={form.isBusy}>
          Add
        </Button>
      </Form>
    </section>
  );
}
