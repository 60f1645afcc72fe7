/** Where one logs in. */

import { getRouteApi, Link } from "@tanstack/react-router";
import * as z from "zod/mini";
import { useLogIn } from "../api/access";
import { email, password } from "../rules";
import { Alert } from "../ui/Alert";
import { Button } from "../ui/Button";
import { PasswordField, TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { PageHeading } from "../ui/PageHeading";
import { useApiForm } from "../ui/useApiForm";

const rules = z.object({ email, password });
const route = getRouteApi("/access/guests/login");

export function LogInPage() {
  const { from, reset } = route.useSearch();
  const logIn = useLogIn();
  const form = useApiForm({
    rules,
    start: { email: "", password: "" },
    // The guard of this page sees that someone is logged in, and leads on.
    send: (credentials) => logIn.mutateAsync(credentials),
  });
  return (
    <>
      <PageHeading>Log in</PageHeading>
      <p className="mt-1.5 mb-6 text-muted">
        New here?{" "}
        <Link to="/signup" search={from ? { from } : {}} className="link">
          Sign up
        </Link>
      </p>
      <div className="mb-5 empty:hidden">
        {reset && <Alert kind="success">Your new password is set. Log in with it.</Alert>}
        {from && !reset && <Alert kind="info">Log in to go on to where you were.</Alert>}
      </div>
      <Form onSubmit={form.submit} alert={form.alert}>
        <TextField label="Email" type="email" autoComplete="username" {...form.field("email")} />
        <div className="grid gap-2">
          <PasswordField
            label="Password"
            autoComplete="current-password"
            {...form.field("password")}
          />
          <Link to="/recover-password" className="link justify-self-start text-sm">
            Forgot password?
          </Link>
        </div>
        <Button type="submit" look="primary" busy={form.isBusy}>
          Log in
        </Button>
      </Form>
    </>
  );
}
