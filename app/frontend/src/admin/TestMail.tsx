/** Finds out whether this site can send mail. */

import { useState } from "react";
import * as z from "zod/mini";
import { useMe } from "../api/me";
import { useSendTestMail } from "../api/users";
import { email } from "../rules";
import { Alert } from "../ui/Alert";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { useApiForm } from "../ui/useApiForm";

const rules = z.object({ email });

export function TestMail() {
  const me = useMe();
  const [sentTo, setSentTo] = useState("");
  const sendMail = useSendTestMail();
  const form = useApiForm({
    rules,
    start: { email: me.email },
    send: async ({ email }) => {
      setSentTo("");
      await sendMail.mutateAsync(email);
      setSentTo(email);
    },
  });
  return (
    <section className="mt-10 max-w-xl">
      <h2 className="text-lg font-semibold tracking-tight">Mail</h2>
      <p className="mt-0.5 mb-4 text-muted">Send a test mail to see whether mail gets through.</p>
      <div className="card p-5">
        <Form onSubmit={form.submit} alert={form.alert}>
          <TextField label="Email" type="email" autoComplete="email" {...form.field("email")} />
          <Button type="submit" busy={form.isBusy} className="justify-self-start">
            Send a test mail
          </Button>
          <Alert kind="success">
            {sentTo && `The mail server took the test mail to ${sentTo}.`}
          </Alert>
        </Form>
      </div>
    </section>
  );
}
