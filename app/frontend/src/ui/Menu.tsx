/** A button that opens a menu of actions. */

import { Menu as Base } from "@base-ui/react/menu";
import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";

interface MenuProps {
  /** What the button is called. */
  label: string;
  /** What the button shows. */
  trigger: ReactNode;
  triggerClass: string;
  children: ReactNode;
}

export function Menu({ label, trigger, triggerClass, children }: MenuProps) {
  return (
    <Base.Root>
      <Base.Trigger aria-label={label} className={triggerClass}>
        {trigger}
      </Base.Trigger>
      {/* Within the page's landmark, where those who go from landmark to landmark find it. */}
      <Base.Portal container={document.getElementById("content")}>
        <Base.Positioner align="end" sideOffset={6} className="z-40">
          <Base.Popup className="min-w-44 max-w-[calc(100vw-2rem)] origin-(--transform-origin) rounded-xl border border-line bg-surface p-1.5 shadow-raised transition duration-100 outline-none data-ending-style:scale-97 data-ending-style:opacity-0 data-starting-style:scale-97 data-starting-style:opacity-0">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

interface MenuItemProps {
  icon: LucideIcon;
  isDanger?: boolean;
  onClick: () => void;
  children: ReactNode;
}

export function MenuItem({ icon: Icon, isDanger = false, onClick, children }: MenuItemProps) {
  return (
    <Base.Item
      onClick={onClick}
      className={classes(
        "flex items-center gap-2.5 rounded-lg px-2.5 py-2 text-sm font-medium outline-none select-none",
        isDanger
          ? "text-danger data-highlighted:bg-danger-soft"
          : "text-ink data-highlighted:bg-sunken",
      )}
    >
      <Icon className="size-4 shrink-0" aria-hidden="true" />
      {children}
    </Base.Item>
  );
}

export function MenuSeparator() {
  return <Base.Separator className="mx-1 my-1.5 h-px bg-line" />;
}
