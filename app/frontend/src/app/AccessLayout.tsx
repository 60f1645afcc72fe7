/** The frame of the pages for those who are not logged in: the form, and on wide screens a picture beside it. */

import { Outlet } from "@tanstack/react-router";
import { Brand } from "./Brand";
import { Footer } from "./Footer";
import { SkipLink } from "./SkipLink";

export function AccessLayout() {
  return (
    <div className="grid flex-1 lg:grid-cols-2">
      <SkipLink />
      <div className="flex min-w-0 flex-col px-5 sm:px-10">
        <header className="flex h-16 items-center">
          <Brand />
        </header>
        <main
          id="content"
          tabIndex={-1}
          className="mx-auto flex w-full max-w-sm flex-1 flex-col justify-center py-8"
        >
          <Outlet />
        </main>
        <Footer className="py-4" />
      </div>
      <Picture />
    </div>
  );
}

/** The layers of the mark, large. */
function Picture() {
  return (
    <div className="hidden place-items-center overflow-hidden bg-panel lg:grid">
      <svg viewBox="0 0 400 400" aria-hidden="true" className="w-full max-w-2xl">
        {LAYERS.map(({ y, opacity }) => (
          <g key={y} transform={`translate(200 ${y})`}>
            <path d="M0 -70 140 0v14L0 84l-140-70V0z" className="fill-panel" />
            <g opacity={opacity}>
              <path d="M-140 0 0 70 140 0v14L0 84l-140-70z" className="fill-panel-edge" />
              <path d="M0 -70 140 0 0 70 -140 0z" className="fill-panel-layer stroke-panel-line" />
            </g>
          </g>
        ))}
      </svg>
    </div>
  );
}

const LAYERS = [
  { y: 290, opacity: 0.4 },
  { y: 230, opacity: 0.6 },
  { y: 170, opacity: 0.8 },
  { y: 110, opacity: 1 },
];
