/**
 * A form whose values go to the API: checked here by the same rules first, then sent, and what the API refuses is told
 * at the fields it names.
 */

import { zodResolver } from "@hookform/resolvers/zod";
import { type DefaultValues, type FieldPath, type FieldValues, useForm } from "react-hook-form";
import type { ZodMiniType } from "zod/mini";
import { ApiError, describe } from "../api/client";

interface Options<Values extends FieldValues> {
  rules: ZodMiniType<Values, Values>;
  start: DefaultValues<Values>;
  /** Sends the values; the form is busy until its promise is done. */
  send: (values: Values) => Promise<void>;
}

export function useApiForm<Values extends FieldValues>({ rules, start, send }: Options<Values>) {
  const form = useForm<Values>({ resolver: zodResolver(rules), defaultValues: start });
  const { errors, isSubmitting } = form.formState;

  async function trySend(values: Values) {
    try {
      await send(values);
    } catch (error) {
      refuse(error as Error, values);
    }
  }

  function refuse(error: Error, values: Values) {
    const known = fieldFaults(error).filter(([field]) => field in values);
    for (const [index, [field, message]] of known.entries()) {
      form.setError(field as FieldPath<Values>, { message }, { shouldFocus: index === 0 });
    }
    if (known.length === 0) form.setError("root", { message: describe(error) });
  }

  return {
    ...form,
    submit: form.handleSubmit(trySend),
    isBusy: isSubmitting,
    /** What is wrong with the whole of it. */
    alert: errors.root?.message,
    /** What a field needs: its wiring, and what is wrong with it. */
    field: (name: FieldPath<Values>) => {
      const error = form.getFieldState(name, form.formState).error?.message;
      return { ...form.register(name), error };
    },
  };
}

/** `{"full_name": "must be …"}` as sentences: "The full name must be …." */
function fieldFaults(error: Error): [string, string][] {
  if (!(error instanceof ApiError)) return [];
  return Object.entries(error.fields).map(([field, rule]) => [
    field,
    `The ${field.replaceAll("_", " ")} ${rule}.`,
  ]);
}
