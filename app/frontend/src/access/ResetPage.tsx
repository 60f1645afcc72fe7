/** Where the link in a mail leads: one chooses a new password. */

import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import * as z from "zod/mini";
import { useResetPassword } from "../api/access";
import { DIFFERENT, newPassword } from "../rules";
import { logOut } from "../session/token";
import { Alert } from "../ui/Alert";
import { Button } from "../ui/Button";
import { PasswordField } from "../ui/Field";
import { Form } from "../ui/Form";
import { PageHeading } from "../ui/PageHeading";
import { useApiForm } from "../ui/useApiForm";
import { dropToken } from "./linkToken";

const route = getRouteApi("/access/reset-password");

export function ResetPage() {
  const { linkToken } = route.useRouteContext();
  return (
    <>
      <PageHeading className="mb-6">Choose a new password</PageHeading>
      {linkToken ? (
        <ResetForm token={linkToken} />
      ) : (
        <Alert kind="fault">This address holds no token. Open the link in the mail again.</Alert>
      )}
      <p className="mt-6 text-sm">
        <Link to="/recover-password" className="link">
          Ask for a new link
        </Link>
      </p>
    </>
  );
}

const rules = z
  .object({ new_password: newPassword, confirm: z.string() })
  .check(z.refine(({ new_password, confirm }) => new_password === confirm, DIFFERENT));

function ResetForm({ token }: { token: string }) {
  const reset = useResetPassword();
  const navigate = useNavigate();
  const form = useApiForm({
    rules,
    start: { new_password: "", confirm: "" },
    send: async ({ new_password }) => {
      await reset.mutateAsync({ token, new_password });
      dropToken();
      // The old password is gone, and with it whoever was logged in by it.
      logOut();
      await navigate({ to: "/login", search: { reset: true } });
    },
  });
  return (
    <Form onSubmit={form.submit} alert={form.alert}>
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
      <Button type="submit" look="primary" busy={form.isBusy}>
        Set the password
      </Button>
    </Form>
  );
}
