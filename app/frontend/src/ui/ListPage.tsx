/** A page of a list: its heading and count, a search, the list, and a dialog that adds to it. */

import type { LucideIcon } from "lucide-react";
import { type ReactNode, useCallback, useState } from "react";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Count, List, type ListProps } from "./List";
import { notify } from "./Notices";
import { PageHeading } from "./PageHeading";
import { SearchBox } from "./SearchBox";

interface Props<T> extends ListProps<T> {
  heading: string;
  /** One of what is listed. */
  one: string;
  addIcon: LucideIcon;
  /** The form that adds one, and then says so in words for a notice. */
  form: (onAdded: (notice: string) => void) => ReactNode;
}

export function ListPage<T>({ heading, one, addIcon: AddIcon, form, ...list }: Props<T>) {
  const { what, query, part, onPart } = list;
  const [isAdding, setAdding] = useState(false);
  const find = useCallback((search: string) => onPart({ search }, { replace: true }), [onPart]);
  const add = `Add ${one}`;

  function added(notice: string) {
    setAdding(false);
    // The newest comes first, so that is where to look for it.
    onPart({});
    notify(notice);
  }

  return (
    <>
      <div className="mb-5 flex flex-wrap items-end justify-between gap-4">
        <div className="grid gap-0.5">
          <PageHeading>{heading}</PageHeading>
          <Count query={query} one={one} many={what} />
        </div>
        <Button look="primary" onClick={() => setAdding(true)}>
          <AddIcon className="size-4" aria-hidden="true" />
          {add}
        </Button>
      </div>
      <div className="mb-4">
        <SearchBox label={`Search ${what}`} value={part.search} onSearch={find} />
      </div>
      <List {...list} />
      <Dialog title={add} isOpen={isAdding} onClose={() => setAdding(false)}>
        {form(added)}
      </Dialog>
    </>
  );
}
