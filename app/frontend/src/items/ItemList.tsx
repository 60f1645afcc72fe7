/** The list, page by page, in each of its states. */

import { useRef } from "react";
import { describe, type Item } from "../api/client";
import { PAGE_SIZE, useItems } from "../api/queries";
import { State } from "../State";
import { ago } from "./ago";

interface Props {
  page: number;
  onPage: (page: number) => void;
}

export function ItemList({ page, onPage }: Props) {
  const items = useItems(page);
  const heading = useRef<HTMLHeadingElement>(null);

  // The next page begins at its top, for the eye and for the keyboard.
  function turnTo(next: number) {
    onPage(next);
    heading.current?.focus();
  }

  return (
    <section className="list" aria-labelledby="items-heading" aria-busy={items.isFetching}>
      <div className="list-head">
        <h1 id="items-heading" ref={heading} tabIndex={-1}>
          Items
        </h1>
        {items.data && <span className="count">{items.data.count}</span>}
      </div>
      {items.isPending && <Loading />}
      {items.isError && (
        <Failure
          message={describe(items.error)}
          isRetrying={items.isFetching}
          onRetry={() => items.refetch()}
        />
      )}
      {items.isSuccess && items.data.count === 0 && <Empty />}
      {items.isSuccess && items.data.count > 0 && (
        <>
          <ul className="card items" data-stale={items.isPlaceholderData}>
            {items.data.data.map((item) => (
              <Row key={item.id} item={item} />
            ))}
          </ul>
          <Pager page={page} count={items.data.count} onPage={turnTo} />
        </>
      )}
    </section>
  );
}

function Row({ item }: { item: Item }) {
  const created = new Date(item.created_at);
  return (
    <li className="item">
      <div className="item-head">
        <h2>{item.title}</h2>
        <time dateTime={item.created_at} title={created.toLocaleString()}>
          {ago(created, new Date())}
        </time>
      </div>
      {item.description && <p>{item.description}</p>}
    </li>
  );
}

function Pager({ page, count, onPage }: Props & { count: number }) {
  const pages = Math.max(1, Math.ceil(count / PAGE_SIZE));
  if (pages === 1) return null;
  return (
    <nav className="pager" aria-label="Pages">
      <button
        type="button"
        className="button"
        disabled={page === 0}
        onClick={() => onPage(page - 1)}
      >
        Newer
      </button>
      <span aria-live="polite">
        Page {page + 1} of {pages}
      </span>
      <button
        type="button"
        className="button"
        disabled={page + 1 >= pages}
        onClick={() => onPage(page + 1)}
      >
        Older
      </button>
    </nav>
  );
}

function Loading() {
  return (
    <div role="status">
      <span className="visually-hidden">Loading items…</span>
      <ul className="card items" aria-hidden="true">
        {["a", "b", "c"].map((key) => (
          <li className="item skeleton" key={key}>
            <span />
            <span />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Empty() {
  return (
    <State title="Nothing here yet" icon="tray">
      <p>Add the first item, and it will show up here.</p>
    </State>
  );
}

interface FailureProps {
  message: string;
  isRetrying: boolean;
  onRetry: () => void;
}

function Failure({ message, isRetrying, onRetry }: FailureProps) {
  return (
    <div role="alert">
      <State title="The items can't be shown" icon="warning">
        <p>{message}</p>
        <button type="button" className="button" disabled={isRetrying} onClick={onRetry}>
          {isRetrying ? "Trying…" : "Try again"}
        </button>
      </State>
    </div>
  );
}
