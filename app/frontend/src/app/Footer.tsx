/** The foot of every page: which releases run here, and where the API is described. */

import { useApiVersion } from "../api/version";
import { useConfig } from "../config";
import { classes } from "../ui/classes";

export function Footer({ className }: { className?: string }) {
  const { apiUrl, version } = useConfig();
  const api = useApiVersion();
  return (
    <footer
      className={classes(
        "flex flex-wrap items-center gap-x-5 gap-y-1 text-[0.8125rem] text-muted",
        className,
      )}
    >
      <span>
        Site <Release name={version} />
      </span>
      <span>
        API <Release name={api.data?.version ?? (api.isError ? "not reachable" : "…")} />
      </span>
      <a href={`${apiUrl}/docs`} className="link sm:ml-auto">
        API documentation
      </a>
    </footer>
  );
}

function Release({ name }: { name: string }) {
  return <span className="font-medium text-ink tabular-nums">{name}</span>;
}
