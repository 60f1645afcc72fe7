/** A field to search a list with. It waits for a pause in the typing. */

import { Search } from "lucide-react";
import { useEffect, useState } from "react";

const PAUSE = 300;

interface Props {
  label: string;
  value: string;
  onSearch: (text: string) => void;
}

export function SearchBox({ label, value, onSearch }: Props) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);

  // The search changed elsewhere, say by the Back button.
  if (value !== known) {
    setKnown(value);
    setText(value);
  }

  useEffect(() => {
    const search = text.trim();
    if (search === value) return;
    const timer = setTimeout(() => onSearch(search), PAUSE);
    return () => clearTimeout(timer);
  }, [text, value, onSearch]);

  return (
    <search className="relative block w-full sm:max-w-xs">
      <Search
        className="pointer-events-none absolute top-3 left-3 size-4 text-muted"
        aria-hidden="true"
      />
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        maxLength={255}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className="[&::-webkit-search-cancel-button]:grayscale h-10 w-full rounded-lg border border-field bg-surface pr-3 pl-9 text-base transition-colors placeholder:text-muted hover:border-ink/60 focus-visible:border-accent focus-visible:outline-offset-0 sm:text-sm"
      />
    </search>
  );
}
