/** What can be done with an item of the list. */

import { Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Item } from "../api/client";
import { useDeleteItem } from "../api/items";
import { Confirm, Dialog } from "../ui/Dialog";
import { MenuItem } from "../ui/Menu";
import { notify } from "../ui/Notices";
import { focusHeading } from "../ui/PageHeading";
import { RowMenu } from "../ui/RowMenu";
import { ItemForm } from "./ItemForm";

export function ItemActions({ item }: { item: Item }) {
  const [open, setOpen] = useState<"edit" | "delete" | null>(null);
  const remove = useDeleteItem();
  const close = () => setOpen(null);

  async function removeIt() {
    await remove.mutateAsync(item);
    notify(`“${item.title}” was deleted.`);
    focusHeading();
  }

  return (
    <>
      <RowMenu of={item.title}>
        <MenuItem icon={Pencil} onClick={() => setOpen("edit")}>
          Edit
        </MenuItem>
        <MenuItem icon={Trash2} isDanger onClick={() => setOpen("delete")}>
          Delete
        </MenuItem>
      </RowMenu>
      <Dialog title="Edit item" isOpen={open === "edit"} onClose={close}>
        <ItemForm
          item={item}
          onSaved={({ title }) => {
            close();
            notify(`“${title}” was saved.`);
          }}
        />
      </Dialog>
      <Confirm
        title="Delete this item?"
        action="Delete"
        isOpen={open === "delete"}
        onClose={close}
        onConfirm={removeIt}
      >
        “{item.title}” will be gone for good.
      </Confirm>
    </>
  );
}
