/** Looks each minute whether another release of the site is served by now, and offers it. */

import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useState } from "react";
import { SITE_KEY } from "../api/cache";
import { loadConfig, useConfig } from "../config";
import { Button } from "../ui/Button";

const EACH_MINUTE = 60_000;

export function NewVersion() {
  const loaded = useConfig();
  const [declined, setDeclined] = useState(loaded.version);
  const served = useQuery({
    queryKey: SITE_KEY,
    queryFn: ({ signal }) => loadConfig(signal),
    initialData: loaded,
    staleTime: EACH_MINUTE,
    refetchInterval: EACH_MINUTE,
    // Who comes back to the tab learns of it at once.
    refetchOnWindowFocus: "always",
  });
  const { version } = served.data;
  const isShown = version !== loaded.version && version !== declined;
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-4 top-18 z-30 flex justify-center md:top-auto md:right-auto md:bottom-6 md:left-6"
    >
      {isShown && (
        <div className="pointer-events-auto flex animate-appear items-center gap-3 rounded-xl border border-line bg-surface py-2 pr-2 pl-4 shadow-raised">
          <p className="text-sm font-medium">A new version is available.</p>
          <Button look="primary" onClick={() => window.location.reload()}>
            Reload
          </Button>
          <button
            type="button"
            aria-label="Later"
            onClick={() => setDeclined(version)}
            className="grid size-8 place-items-center rounded-lg text-muted hover:bg-sunken hover:text-ink"
          >
            <X className="size-4" aria-hidden="true" />
          </button>
        </div>
      )}
    </div>
  );
}
