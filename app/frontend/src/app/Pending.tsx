/** Stands in for a page that is still on its way. */

import { Bar, Loading } from "../ui/Skeleton";

export function Pending() {
  return (
    <div className="grid gap-4">
      <Loading what="the page" />
      <Bar className="h-7 w-48" />
      <Bar className="w-80 max-w-full" />
      <Bar className="mt-4 h-40 rounded-xl" />
    </div>
  );
}
