/**
 * Reports errors to Sentry, for sites that have an address for it. A part of its own, that only those load.
 *
 * A report says what failed and in which release; never who was there, what they typed or read, nor the parts of
 * addresses that can hold a secret or a search.
 */

import {
  type Breadcrumb,
  breadcrumbsIntegration,
  browserApiErrorsIntegration,
  dedupeIntegration,
  type ErrorEvent,
  eventFiltersIntegration,
  functionToStringIntegration,
  globalHandlersIntegration,
  httpContextIntegration,
  init,
  linkedErrorsIntegration,
} from "@sentry/browser";
import type { Config } from "./config";

export function startSentry({ sentryDsn, environment, version }: Config) {
  init({
    ...(sentryDsn && { dsn: sentryDsn }),
    environment,
    release: version,
    dataCollection: {
      userInfo: false,
      cookies: false,
      httpHeaders: false,
      httpBodies: [],
      urlQueryParams: false,
    },
    defaultIntegrations: [
      eventFiltersIntegration(),
      functionToStringIntegration(),
      browserApiErrorsIntegration(),
      globalHandlersIntegration(),
      linkedErrorsIntegration(),
      dedupeIntegration(),
      httpContextIntegration(),
      // Neither clicks, whose buttons are called after people's items, nor the console.
      breadcrumbsIntegration({ dom: false }),
    ],
    beforeBreadcrumb: withoutSecretsInTrace,
    beforeSend: withoutSecrets,
  });
}

export function withoutSecrets(event: ErrorEvent): ErrorEvent {
  const { request, user: _, ...rest } = event;
  return { ...rest, ...(request?.url && { request: { url: bare(request.url) } }) };
}

export function withoutSecretsInTrace(crumb: Breadcrumb): Breadcrumb {
  const data = Object.entries(crumb.data ?? {}).map(([key, value]) => [
    key,
    typeof value === "string" ? bare(value) : value,
  ]);
  return { ...crumb, data: Object.fromEntries(data) };
}

/** An address without its query and fragment. */
function bare(address: string): string {
  return address.replace(/[?#].*$/s, "");
}
