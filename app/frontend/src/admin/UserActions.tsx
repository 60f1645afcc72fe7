/** What can be done with a user of the list. */

import { Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import type { User } from "../api/client";
import { useMe } from "../api/me";
import { useDeleteUser } from "../api/users";
import { Confirm, Dialog } from "../ui/Dialog";
import { MenuItem } from "../ui/Menu";
import { notify } from "../ui/Notices";
import { focusHeading } from "../ui/PageHeading";
import { RowMenu } from "../ui/RowMenu";
import { ChangeUserForm } from "./UserForm";

export function UserActions({ user }: { user: User }) {
  const isMe = useMe().id === user.id;
  const [open, setOpen] = useState<"edit" | "delete" | null>(null);
  const remove = useDeleteUser();
  const close = () => setOpen(null);

  async function removeIt() {
    await remove.mutateAsync(user);
    notify(`${user.email} was deleted.`);
    focusHeading();
  }

  return (
    <>
      <RowMenu of={user.email}>
        <MenuItem icon={Pencil} onClick={() => setOpen("edit")}>
          Edit
        </MenuItem>
        {!isMe && (
          <MenuItem icon={Trash2} isDanger onClick={() => setOpen("delete")}>
            Delete
          </MenuItem>
        )}
      </RowMenu>
      <Dialog title="Edit user" isOpen={open === "edit"} onClose={close}>
        <ChangeUserForm
          user={user}
          onSaved={({ email }) => {
            close();
            notify(`${email} was saved.`);
          }}
        />
      </Dialog>
      <Confirm
        title="Delete this user?"
        action="Delete"
        isOpen={open === "delete"}
        onClose={close}
        onConfirm={removeIt}
      >
        {user.email} and all items of this user will be gone for good.
      </Confirm>
    </>
  );
}
