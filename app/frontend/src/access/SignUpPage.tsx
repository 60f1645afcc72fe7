/** Where one gets an account. */

import { getRouteApi, Link } from "@tanstack/react-router";
import * as z from "zod/mini";
import { useSignUp } from "../api/access";
import { DIFFERENT, email, fullName, newPassword, orNull } from "../rules";
import { Button } from "../ui/Button";
import { PasswordField, TextField } from "../ui/Field";
import { Form } from "../ui/Form";
import { PageHeading } from "../ui/PageHeading";
import { useApiForm } from "../ui/useApiForm";

const rules = z
  .object({ full_name: fullName, email, password: newPassword, confirm: z.string() })
  .check(z.refine(({ password, confirm }) => password === confirm, DIFFERENT));
const route = getRouteApi("/access/guests/signup");

export function SignUpPage() {
  const { from } = route.useSearch();
  const signUp = useSignUp();
  const form = useApiForm({
    rules,
    start: { full_name: "", email: "", password: "", confirm: "" },
    send: ({ full_name, email, password }) =>
      signUp.mutateAsync({ full_name: orNull(full_name), email, password }),
  });
  return (
    <>
      <PageHeading>Sign up</PageHeading>
      <p className="mt-1.5 mb-6 text-muted">
        Have an account?{" "}
        <Link to="/login" search={from ? { from } : {}} className="link">
          Log in
        </Link>
      </p>
      <Form onSubmit={form.submit} alert={form.alert}>
        <TextField label="Full name" isOptional autoComplete="name" {...form.field("full_name")} />
        <TextField label="Email" type="email" autoComplete="username" {...form.field("email")} />
        <PasswordField
          label="Password"
          hint="At least 8 characters."
          autoComplete="new-password"
          {...form.field("password")}
        />
        <PasswordField
          label="Confirm password"
          autoComplete="new-password"
          {...form.field("confirm")}
        />
        <Button type="submit" look="primary" busy={form.isBusy}>
          Sign up
        </Button>
      </Form>
    </>
  );
}
