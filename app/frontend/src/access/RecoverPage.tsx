/** Where one asks for a link to set a new password. It never tells whether there is such an account. */

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import * as z from "zod/mini";
import { useRecoverPassword } from "../api/access";
import { email } from "../rules";
import { Alert } from "../ui/Alert";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { PageHeading } from "../ui/PageHeading";
import { useApiForm } from "../ui/useApiForm";

const rules = z.object({ email });

export function RecoverPage() {
  const [isSent, setSent] = useState(false);
  const recover = useRecoverPassword();
  const form = useApiForm({
    rules,
    start: { email: "" },
    send: async ({ email }) => {
      setSent(false);
      await recover.mutateAsync(email);
      setSent(true);
    },
  });
  return (
    <>
      <PageHeading>Recover password</PageHeading>
      <p className="mt-1.5 mb-6 text-muted">
        You get a link by mail that lets you choose a new password.
      </p>
      <Form onSubmit={form.submit} alert={form.alert}>
        <TextField label="Email" type="email" autoComplete="username" {...form.field("email")} />
        <Button type="submit" look="primary" busy={form.isBusy}>
          Send the link
        </Button>
        <Alert kind="success">
          {isSent && "If there is an account for that address, a link is on its way."}
        </Alert>
      </Form>
      <p className="mt-6 text-sm">
        <Link to="/login" className="link">
          Back to log in
        </Link>
      </p>
    </>
  );
}
