/** Takes the place of content that isn't there, and says why. */

import type { ReactNode } from "react";

const ICONS = {
  tray: "M4 13h5l2 3h10l2-3h5M8 6h16l4 7v13H4V13z",
  warning: "M16 5 29 27H3zM16 13v6M16 22.5v.5",
};

interface Props {
  icon: keyof typeof ICONS;
  title: string;
  /** The level of the title: 1 when it is the only one of the page. */
  heading?: "h1" | "h2";
  children: ReactNode;
}

export function State({ icon, title, heading: Heading = "h2", children }: Props) {
  return (
    <div className="card state">
      <svg viewBox="0 0 32 32" aria-hidden="true" data-icon={icon}>
        <path d={ICONS[icon]} />
      </svg>
      <Heading>{title}</Heading>
      {children}
    </div>
  );
}
