/** The form that adds an item. */

import { type ReactNode, type SubmitEvent, useId, useRef, useState } from "react";
import { ApiError, describe } from "../api/client";
import { useAddItem } from "../api/queries";
import { check, count, DESCRIPTION_MAX, type Draft, type Faults, TITLE_MAX } from "./rules";

const EMPTY: Draft = { title: "", description: "" };

export function AddItem({ onAdded }: { onAdded: () => void }) {
  const [draft, setDraft] = useState(EMPTY);
  // Nobody is told of faults in a form that they have only begun to fill.
  const [wasSubmitted, setWasSubmitted] = useState(false);
  const titleField = useRef<HTMLInputElement>(null);
  const descriptionField = useRef<HTMLTextAreaElement>(null);
  const addItem = useAddItem();

  const faults = check(draft);
  const shown: Faults = wasSubmitted ? { ...refusalOf(addItem.error), ...faults } : {};

  function change(part: Partial<Draft>) {
    setDraft({ ...draft, ...part });
    addItem.reset();
  }

  function submit(event: SubmitEvent) {
    event.preventDefault();
    setWasSubmitted(true);
    if (faults.title) return titleField.current?.focus();
    if (faults.description) return descriptionField.current?.focus();
    const { title, description } = draft;
    addItem.mutate(
      { title: title.trim(), description: description.trim() || null },
      {
        onSuccess: () => {
          setDraft(EMPTY);
          setWasSubmitted(false);
          titleField.current?.focus();
          onAdded();
        },
      },
    );
  }

  const hasFieldFaults = Object.keys(shown).length > 0;
  return (
    <form className="card form" noValidate onSubmit={submit} aria-labelledby="add-heading">
      <h2 id="add-heading">Add an item</h2>
      <Field label="Title" value={draft.title} max={TITLE_MAX} fault={shown.title}>
        {(field) => (
          <input
            {...field}
            ref={titleField}
            required
            autoComplete="off"
            placeholder="Something to remember"
            value={draft.title}
            onChange={(event) => change({ title: event.target.value })}
          />
        )}
      </Field>
      <Field
        label="Description"
        isOptional
        value={draft.description}
        max={DESCRIPTION_MAX}
        fault={shown.description}
      >
        {(field) => (
          <textarea
            {...field}
            ref={descriptionField}
            rows={3}
            value={draft.description}
            onChange={(event) => change({ description: event.target.value })}
          />
        )}
      </Field>
      <button type="submit" className="button primary" disabled={addItem.isPending}>
        {addItem.isPending ? "Adding…" : "Add item"}
      </button>
      {addItem.isError && !hasFieldFaults && (
        <p className="notice error" role="alert">
          The item was not added. {describe(addItem.error)}
        </p>
      )}
      <p className="notice success" role="status">
        {addItem.isSuccess && `“${addItem.data.title}” was added.`}
      </p>
    </form>
  );
}

/** What the API says of each field. */
function refusalOf(error: Error | null): Faults {
  if (!(error instanceof ApiError)) return {};
  const { title, description } = error.fields;
  return {
    ...(title && { title: `The title ${title}.` }),
    ...(description && { description: `The description ${description}.` }),
  };
}

interface FieldProps {
  label: string;
  isOptional?: boolean;
  value: string;
  max: number;
  fault: string | undefined;
  children: (field: object) => ReactNode;
}

function Field({ label, isOptional = false, value, max, fault, children }: FieldProps) {
  const id = useId();
  const length = count(value);
  return (
    <div className="field">
      <div className="field-head">
        <label htmlFor={id}>
          {label}
          {isOptional && <span className="optional"> (optional)</span>}
        </label>
        {length > max * 0.8 && (
          <span className="counter" data-over={length > max}>
            {length} / {max}
          </span>
        )}
      </div>
      {children({ id, "aria-invalid": Boolean(fault), "aria-describedby": `${id}-fault` })}
      <p className="fault" id={`${id}-fault`}>
        {fault}
      </p>
    </div>
  );
}
