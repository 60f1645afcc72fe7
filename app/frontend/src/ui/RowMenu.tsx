/** The three dots at the end of a row. */

import { Ellipsis } from "lucide-react";
import type { ReactNode } from "react";
import { Menu } from "./Menu";

/** `of` names the row for those who hear the button without its row. */
export function RowMenu({ of, children }: { of: string; children: ReactNode }) {
  return (
    <Menu
      label={`Actions for ${of}`}
      triggerClass="grid size-9 place-items-center rounded-lg text-muted transition-colors hover:bg-sunken hover:text-ink data-popup-open:bg-sunken data-popup-open:text-ink"
      trigger={<Ellipsis className="size-5" aria-hidden="true" />}
    >
      {children}
    </Menu>
  );
}
