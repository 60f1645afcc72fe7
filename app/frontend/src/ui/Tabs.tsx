/** Parts of a page of which one is shown at a time. */

import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";

interface Props<T extends string> {
  label: string;
  tabs: { value: T; label: string; content: ReactNode }[];
  value: T;
  onChange: (value: T) => void;
}

export function Tabs<T extends string>({ label, tabs, value, onChange }: Props<T>) {
  return (
    <Base.Root value={value} onValueChange={onChange}>
      <Base.List
        aria-label={label}
        className="mb-6 flex sm:gap-2 overflow-x-auto border-b border-line [scrollbar-width:none]"
      >
        {tabs.map(({ value, label }) => (
          <Base.Tab
            key={value}
            value={value}
            className="-mb-px shrink-0 rounded-t-md border-b-2 border-transparent px-2 py-2.5 text-sm font-medium text-muted transition-colors hover:text-ink focus-visible:-outline-offset-2 data-active:border-accent data-active:text-ink"
          >
            {label}
          </Base.Tab>
        ))}
      </Base.List>
      {tabs.map(({ value, content }) => (
        <Base.Panel key={value} value={value} className="rounded-lg">
          {content}
        </Base.Panel>
      ))}
    </Base.Root>
  );
}
