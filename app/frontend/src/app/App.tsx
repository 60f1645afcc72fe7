/** The whole site: what all of its pages share, and the router that chooses among them. */

import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { createCache } from "../api/cache";
import { ApiContext, createApi } from "../api/client";
import { type Config, ConfigContext } from "../config";
import { useSession } from "../session/useSession";
import { createSiteRouter } from "./router";

export function App({ config }: { config: Config }) {
  const [api] = useState(() => createApi(config.apiUrl));
  const [cache] = useState(createCache);
  const [router] = useState(() => createSiteRouter());
  useSession(router, cache);
  return (
    <ConfigContext value={config}>
      <ApiContext value={api}>
        <QueryClientProvider client={cache}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </ApiContext>
    </ConfigContext>
  );
}
