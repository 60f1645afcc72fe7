/** The end of an account. */

import { useState } from "react";
import { useDeleteMe, useMe } from "../api/me";
import { Button } from "../ui/Button";
import { Confirm } from "../ui/Dialog";

export function DeleteAccount() {
  const me = useMe();
  const [isAsking, setAsking] = useState(false);
  const deleteMe = useDeleteMe();
  return (
    <div className="grid gap-4 justify-items-start">
      <div className="grid gap-1">
        <h2 className="text-base font-semibold">Delete account</h2>
        <p className="text-muted">
          {me.is_superuser
            ? "A superuser can't delete its own account: another superuser has to."
            : "Your account and all your items will be gone for good. There is no way back."}
        </p>
      </div>
      <Button look="danger" disabled={me.is_superuser} onClick={() => setAsking(true)}>
        Delete account
      </Button>
      <Confirm
        title="Delete your account?"
        action="Delete"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() => deleteMe.mutateAsync()}
      >
        The account of {me.email} and all its items will be gone for good.
      </Confirm>
    </div>
  );
}
