/** The form of a dialog that adds a user or changes one. */

import * as z from "zod/mini";
import type { User } from "../api/client";
import { useMe } from "../api/me";
import { useAddUser, useChangeUser } from "../api/users";
import { email, fullName, newPassword, orNull } from "../rules";
import { DialogActions } from "../ui/Dialog";
import { Choice, PasswordField, TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { useApiForm } from "../ui/useApiForm";

const rules = z.object({
  email,
  full_name: fullName,
  password: newPassword,
  is_superuser: z.boolean(),
  is_active: z.boolean(),
});

/** Without a new password, the present one stays. */
const changeRules = z.extend(rules, { password: z.union([z.literal(""), newPassword]) });

type Values = z.infer<typeof rules>;

export function AddUserForm({ onSaved }: { onSaved: (user: User) => void }) {
  const add = useAddUser();
  const form = useApiForm({
    rules,
    start: { email: "", full_name: "", password: "", is_superuser: false, is_active: true },
    send: async ({ full_name, ...rest }) =>
      onSaved(await add.mutateAsync({ ...rest, full_name: orNull(full_name) })),
  });
  return (
    <Form onSubmit={form.submit} alert={form.alert}>
      <Identity form={form} />
      <PasswordField
        label="Password"
        hint="At least 8 characters."
        autoComplete="new-password"
        {...form.field("password")}
      />
      <Rights form={form} />
      <DialogActions isBusy={form.isBusy}>Save</DialogActions>
    </Form>
  );
}

export function ChangeUserForm({ user, onSaved }: { user: User; onSaved: (user: User) => void }) {
  const isMe = useMe().id === user.id;
  const change = useChangeUser(user);
  const { email, is_superuser, is_active } = user;
  const form = useApiForm({
    rules: changeRules,
    start: { email, full_name: user.full_name ?? "", password: "", is_superuser, is_active },
    send: async ({ full_name, password, ...rest }) => {
      const body = { ...rest, full_name: orNull(full_name), ...(password && { password }) };
      onSaved(await change.mutateAsync(body));
    },
  });
  return (
    <Form onSubmit={form.submit} alert={form.alert}>
      <Identity form={form} />
      {isMe ? (
        <p className="text-sm text-muted">
          Your password is in the settings. Your rights, only another superuser can change.
        </p>
      ) : (
        <>
          <PasswordField
            label="Password"
            hint="Leave it empty to keep the present one."
            autoComplete="new-password"
            {...form.field("password")}
          />
          <Rights form={form} />
        </>
      )}
      <DialogActions isBusy={form.isBusy}>Save</DialogActions>
    </Form>
  );
}

type Part = { form: ReturnType<typeof useApiForm<Values>> };

function Identity({ form }: Part) {
  return (
    <>
      <TextField label="Email" type="email" autoComplete="off" {...form.field("email")} />
      <TextField label="Full name" isOptional autoComplete="off" {...form.field("full_name")} />
    </>
  );
}

function Rights({ form }: Part) {
  return (
    <div className="grid gap-3">
      <Choice
        label="Superuser"
        hint="Sees this page, and manages all users."
        {...form.register("is_superuser")}
      />
      <Choice label="Active" hint="May log in." {...form.register("is_active")} />
    </div>
  );
}
