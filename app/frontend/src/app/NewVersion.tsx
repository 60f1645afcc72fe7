/** Looks each minute whether another release of the site is served by now, and offers it. */

import { useQuery } from "@tanstack/react-query";
import { loadConfig, useConfig } from "../config";
import { Button } from "../ui/Button";

const EACH_MINUTE = 60_000;

export function NewVersion() {
  const { version } = useConfig();
  const served = useQuery({
    queryKey: ["config"],
    queryFn: ({ signal }) => loadConfig(signal),
    refetchInterval: EACH_MINUTE,
    // Who comes back to the tab learns of it at once.
    refetchOnWindowFocus: "always",
  });
  const isNew = served.data !== undefined && served.data.version !== version;
  return (
    <div
      role="status"
      className="fixed inset-x-4 top-18 z-30 flex justify-center md:top-auto md:right-auto md:bottom-6 md:left-6"
    >
      {isNew && (
        <div className="flex animate-appear items-center gap-4 rounded-xl border border-line bg-surface py-2.5 pr-2.5 pl-4 shadow-raised">
          <p className="text-sm font-medium">A new version is available.</p>
          <Button look="primary" onClick={() => window.location.reload()}>
            Reload
          </Button>
        </div>
      )}
    </div>
  );
}
