/** Who one is to others: name and email. */

import * as z from "zod/mini";
import { useChangeMe, useMe } from "../api/me";
import { email, fullName, orNull } from "../rules";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { notify } from "../ui/Notices";
import { useApiForm } from "../ui/useApiForm";

const rules = z.object({ full_name: fullName, email });

export function ProfileForm() {
  const me = useMe();
  const change = useChangeMe();
  const form = useApiForm({
    rules,
    start: { full_name: me.full_name ?? "", email: me.email },
    send: async ({ full_name, email }) => {
      const now = await change.mutateAsync({ full_name: orNull(full_name), email });
      form.reset({ full_name: now.full_name ?? "", email: now.email });
      notify("Your profile was saved.");
    },
  });
  return (
    <Form onSubmit={form.submit} alert={form.alert}>
      <TextField label="Full name" isOptional autoComplete="name" {...form.field("full_name")} />
      <TextField
        label="Email"
        type="email"
        hint="You log in with it, and get mails there."
        autoComplete="email"
        {...form.field("email")}
      />
      <Button type="submit" look="primary" busy={form.isBusy} className="justify-self-start">
        Save
      </Button>
    </Form>
  );
}
