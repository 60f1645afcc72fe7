/** A list from the API as a table, page by page, in each of its states. */

import type { UseQueryResult } from "@tanstack/react-query";
import { SearchX } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { type ListPart, PAGE_SIZE } from "../api/cache";
import { classes } from "./classes";
import { focusHeading } from "./PageHeading";
import { lastPage, Pager } from "./Pager";
import { Bar, Loading } from "./Skeleton";
import { Failure, State } from "./State";

interface Column {
  label: string;
  /** The label is for those who don't see what the column holds. */
  isLabelHidden?: boolean;
  className?: string;
}

export interface ListProps<T> {
  /** What is listed, in the plural. */
  what: string;
  query: UseQueryResult<{ data: T[]; count: number }>;
  part: ListPart;
  onPart: (part: Partial<ListPart>, how?: { replace: boolean }) => void;
  columns: Column[];
  row: (entry: T) => ReactNode;
  /** What is shown when there is nothing at all. */
  empty: ReactNode;
}

export function List<T>({ what, query, part, onPart, columns, row, empty }: ListProps<T>) {
  const { page, search } = part;
  const count = query.data?.count ?? 0;
  const isBeyond = count > 0 && page > lastPage(count);

  // The last entry of the last page was deleted, or an address is old.
  useEffect(() => {
    if (isBeyond) onPart({ search, page: lastPage(count) }, { replace: true });
  }, [isBeyond, onPart, search, count]);

  // The next page begins at its top, for the eye and for the keyboard.
  function turnTo(next: number) {
    onPart({ search, page: next });
    focusHeading();
  }

  if (query.isError) {
    return (
      <div className="card">
        <Failure
          title={`The ${what} can't be shown`}
          error={query.error}
          isRetrying={query.isFetching}
          onRetry={() => query.refetch()}
        />
      </div>
    );
  }
  if (query.isSuccess && count === 0) {
    return (
      <div className="card">
        {search ? (
          <State icon={SearchX} title={`No ${what} found`}>
            <p className="text-muted wrap-anywhere">Nothing matches “{search}”.</p>
          </State>
        ) : (
          empty
        )}
      </div>
    );
  }
  return (
    <div className="card overflow-hidden" aria-busy={query.isFetching}>
      {query.isPending && <Loading what={what} />}
      <table aria-hidden={query.isPending || undefined} className="w-full table-fixed text-left">
        <thead className="border-b border-line bg-sunken/60 text-[0.8125rem] text-muted">
          <tr>
            {columns.map(({ label, isLabelHidden, className }) => (
              <th key={label} scope="col" className={classes("px-4 py-2.5 font-medium", className)}>
                <span className={isLabelHidden ? "sr-only" : undefined}>{label}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody
          className={classes(
            "divide-y divide-line transition-opacity",
            query.isPlaceholderData && "opacity-50",
          )}
        >
          {query.isPending ? <BlankRows columns={columns} /> : query.data.data.map(row)}
        </tbody>
      </table>
      {count > PAGE_SIZE && <Pager page={page} count={count} onPage={turnTo} />}
    </div>
  );
}

function BlankRows({ columns }: { columns: Column[] }) {
  return ["a", "b", "c", "d"].map((key) => (
    <tr key={key}>
      {columns.map(({ label, className }) => (
        <td key={label} className={classes("px-4 py-4", className)}>
          <Bar className="w-3/4" />
        </td>
      ))}
    </tr>
  ));
}

/** How many there are: seen by the eye, and told to the ear when it changes by a search. */
export function Count({ query, one, many }: { query: UseQueryResult<{ count: number }> } & Words) {
  const count = query.data?.count;
  return (
    <p role="status" className="text-sm text-muted tabular-nums">
      {count !== undefined && `${count} ${count === 1 ? one : many}`}
    </p>
  );
}

interface Words {
  one: string;
  many: string;
}
