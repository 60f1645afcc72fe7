/** Leads through the pages of a list. */

import { ChevronLeft, ChevronRight } from "lucide-react";
import { PAGE_SIZE } from "../api/cache";
import { Button } from "./Button";

interface Props {
  page: number;
  count: number;
  onPage: (page: number) => void;
}

export function Pager({ page, count, onPage }: Props) {
  const last = lastPage(count);
  return (
    <nav
      aria-label="Pages"
      className="flex items-center justify-between gap-4 border-t border-line px-4 py-3"
    >
      <p className="text-sm text-muted tabular-nums" aria-live="polite">
        Page {page} of {last}
      </p>
      <div className="flex gap-2">
        <Button
          aria-label="Previous page"
          disabled={page <= 1}
          onClick={() => onPage(page - 1)}
          className="px-3"
        >
          <ChevronLeft className="size-4" aria-hidden="true" />
          <span className="hidden sm:inline">Previous</span>
        </Button>
        <Button
          aria-label="Next page"
          disabled={page >= last}
          onClick={() => onPage(page + 1)}
          className="px-3"
        >
          <span className="hidden sm:inline">Next</span>
          <ChevronRight className="size-4" aria-hidden="true" />
        </Button>
      </div>
    </nav>
  );
}

export function lastPage(count: number): number {
  return Math.max(1, Math.ceil(count / PAGE_SIZE));
}
