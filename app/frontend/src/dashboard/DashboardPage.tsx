/** The first page of who is logged in: how things stand, and the latest. */

import { Link } from "@tanstack/react-router";
import { ListPlus } from "lucide-react";
import { useLatestItems } from "../api/items";
import { useMe } from "../api/me";
import { PageHeading } from "../ui/PageHeading";
import { Bar, Loading } from "../ui/Skeleton";
import { Failure, State } from "../ui/State";
import { Time } from "../ui/Time";
import { Figures } from "./Figures";
import { QuickAdd } from "./QuickAdd";

export function DashboardPage() {
  const me = useMe();
  return (
    <div className="grid gap-6">
      <div className="grid gap-0.5">
        <PageHeading title="Dashboard">{`Hi, ${me.full_name || me.email}`}</PageHeading>
        <p className="text-muted">Good to see you.</p>
      </div>
      <Figures />
      <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <LatestItems />
        <QuickAdd />
      </div>
    </div>
  );
}

function LatestItems() {
  const items = useLatestItems();
  return (
    <section aria-labelledby="latest" className="card overflow-hidden">
      <div className="flex items-center justify-between gap-4 border-b border-line px-5 py-3.5">
        <h2 id="latest" className="font-semibold">
          Latest items
        </h2>
        <Link to="/items" className="link text-sm">
          All items
        </Link>
      </div>
      {items.isPending && (
        <div className="grid gap-5 p-5">
          <Loading what="items" />
          <Bar className="w-2/3" />
          <Bar className="w-1/2" />
          <Bar className="w-3/5" />
        </div>
      )}
      {items.isError && (
        <Failure
          title="The items can't be shown"
          error={items.error}
          isRetrying={items.isFetching}
          onRetry={() => items.refetch()}
        />
      )}
      {items.data?.count === 0 && (
        <State icon={ListPlus} title="Nothing here yet">
          <p className="text-muted">Add your first item, and it will show up here.</p>
        </State>
      )}
      {items.isSuccess && items.data.count > 0 && (
        <ul className="divide-y divide-line">
          {items.data.data.map((item) => (
            <li key={item.id} className="flex items-baseline justify-between gap-4 px-5 py-3">
              <div className="min-w-0">
                <p className="truncate font-medium">{item.title}</p>
                {item.description && (
                  <p className="truncate text-sm text-muted">{item.description}</p>
                )}
              </div>
              <span className="shrink-0 text-sm text-muted">
                <Time at={item.created_at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
