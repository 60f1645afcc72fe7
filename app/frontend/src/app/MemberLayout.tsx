/** The frame of the pages for those who are logged in. It knows who that is before it shows any of them. */

import { Outlet } from "@tanstack/react-router";
import { MeContext, useMeQuery } from "../api/me";
import { logOut, useToken } from "../session/token";
import { Button } from "../ui/Button";
import { Notices } from "../ui/Notices";
import { Failure } from "../ui/State";
import { AccountMenu } from "./AccountMenu";
import { Brand } from "./Brand";
import { Footer } from "./Footer";
import { Navigation } from "./Navigation";
import { Pending } from "./Pending";
import { SkipLink } from "./SkipLink";

export function MemberLayout() {
  // Without a token the guard is about to show another page, and there is nobody to ask for.
  return useToken() === null ? null : <Frame />;
}

function Frame() {
  const me = useMeQuery();
  return (
    <MeContext value={me.data ?? null}>
      <SkipLink />
      <header className="sticky top-0 z-20 border-b border-line bg-surface/95 backdrop-blur">
        <div className="mx-auto flex h-16 max-w-7xl items-center justify-between gap-4 px-4 md:px-7">
          <Brand />
          {me.data && <AccountMenu />}
        </div>
      </header>
      <div className="mx-auto grid w-full max-w-7xl flex-1 md:grid-cols-[14rem_minmax(0,1fr)]">
        {me.data ? <Navigation /> : <div className="hidden md:block" />}
        <div className="flex min-w-0 flex-col px-4 pb-20 md:px-8 md:pb-6">
          <main id="content" tabIndex={-1} className="flex-1 py-6 md:py-9">
            {me.data ? (
              <Outlet />
            ) : me.isError ? (
              <div className="card">
                <Failure
                  isPage
                  title="Your account can't be loaded"
                  error={me.error}
                  isRetrying={me.isFetching}
                  onRetry={() => me.refetch()}
                />
                <p className="pb-8 text-center">
                  <Button look="quiet" onClick={logOut}>
                    Log out
                  </Button>
                </p>
              </div>
            ) : (
              <Pending />
            )}
          </main>
          <Footer className="border-t border-line pt-4 pb-4" />
        </div>
      </div>
      <Notices />
    </MeContext>
  );
}
