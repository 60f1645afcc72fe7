/** A new password for who knows the present one. */

import * as z from "zod/mini";
import { useChangePassword, useMe } from "../api/me";
import { DIFFERENT, newPassword, password } from "../rules";
import { Button } from "../ui/Button";
import { PasswordField } from "../ui/Field";
import { Form } from "../ui/Form";
import { notify } from "../ui/Notices";
import { useApiForm } from "../ui/useApiForm";

const rules = z
  .object({ current_password: password, new_password: newPassword, confirm: z.string() })
  .check(z.refine(({ new_password, confirm }) => new_password === confirm, DIFFERENT));

const BLANK = { current_password: "", new_password: "", confirm: "" };

export function PasswordForm() {
  const me = useMe();
  const change = useChangePassword();
  const form = useApiForm({
    rules,
    start: BLANK,
    send: async ({ current_password, new_password }) => {
      await change.mutateAsync({ current_password, new_password });
      form.reset(BLANK);
      notify("Your password was changed. Other devices are logged out.");
    },
  });
  return (
    <Form onSubmit={form.submit} alert={form.alert}>
      {/* Tells password managers whose password this is. */}
      <input type="hidden" name="username" autoComplete="username" value={me.email} readOnly />
      <PasswordField
        label="Current password"
        autoComplete="current-password"
        {...form.field("current_password")}
      />
      <PasswordField
        label="New password"
        hint="At least 8 characters."
        autoComplete="new-password"
        {...form.field("new_password")}
      />
      <PasswordField
        label="Confirm new password"
        autoComplete="new-password"
        {...form.field("confirm")}
      />
      <Button type="submit" look="primary" busy={form.isBusy} className="justify-self-start">
        Change the password
      </Button>
    </Form>
  );
}
