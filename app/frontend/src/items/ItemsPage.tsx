/** The page with the list, and the form that adds to it. */

import { useState } from "react";
import { AddItem } from "./AddItem";
import { ItemList } from "./ItemList";

export function ItemsPage() {
  const [page, setPage] = useState(0);
  return (
    <div className="columns">
      {/* The newest item comes first, so that is where to look for the one just added. */}
      <AddItem onAdded={() => setPage(0)} />
      <ItemList page={page} onPage={setPage} />
    </div>
  );
}
