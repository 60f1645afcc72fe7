/** The list of one's items: search it, add to it, change and delete. */

import { getRouteApi } from "@tanstack/react-router";
import { ListPlus, Plus } from "lucide-react";
import type { Item } from "../api/client";
import { useItems } from "../api/items";
import { useListPart } from "../app/listPart";
import { ListPage } from "../ui/ListPage";
import { State } from "../ui/State";
import { Time } from "../ui/Time";
import { ItemActions } from "./ItemActions";
import { ItemForm } from "./ItemForm";

const route = getRouteApi("/members/items");

const COLUMNS = [
  { label: "Title" },
  { label: "Description", className: "hidden md:table-cell md:w-2/5" },
  { label: "Added", className: "hidden sm:table-cell sm:w-36" },
  { label: "Actions", isLabelHidden: true, className: "w-15" },
];

export function ItemsPage() {
  const { part, show } = useListPart(route.useSearch(), route.useNavigate());
  const items = useItems(part);
  return (
    <ListPage
      heading="Items"
      what="items"
      one="item"
      addIcon={Plus}
      query={items}
      part={part}
      onPart={show}
      columns={COLUMNS}
      row={(item) => <Row key={item.id} item={item} />}
      empty={
        <State icon={ListPlus} title="Nothing here yet">
          <p className="text-muted">Add your first item, and it will show up here.</p>
        </State>
      }
      form={(onAdded) => <ItemForm onSaved={({ title }) => onAdded(`“${title}” was added.`)} />}
    />
  );
}

function Row({ item }: { item: Item }) {
  return (
    <tr className="transition-colors hover:bg-sunken/50">
      <th scope="row" className="px-4 py-3 font-medium">
        <span className="line-clamp-2 wrap-anywhere" title={item.title}>
          {item.title}
        </span>
        {item.description && (
          <span className="mt-0.5 line-clamp-2 text-sm font-normal text-muted wrap-anywhere md:hidden">
            {item.description}
          </span>
        )}
      </th>
      <td className="hidden px-4 py-3 text-muted md:table-cell">
        <span className="line-clamp-2 wrap-anywhere">{item.description ?? "–"}</span>
      </td>
      <td className="hidden px-4 py-3 text-sm text-muted sm:table-cell">
        <Time at={item.created_at} />
      </td>
      <td className="py-2 pr-3">
        <div className="flex justify-end">
          <ItemActions item={item} />
        </div>
      </td>
    </tr>
  );
}
