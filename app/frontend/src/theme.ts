/**
 * Which of the two palettes is shown. `system` follows the device.
 *
 * `public/early.js` applies the choice when a page begins, this module when it changes; the palettes are in `style.css`.
 */

import { useSyncExternalStore } from "react";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "theme";
const listeners = new Set<() => void>();

export function getTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === kept) ?? "system";
}

export function setTheme(theme: Theme) {
  localStorage.setItem(KEY, theme);
  apply();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, getTheme);
}

function apply() {
  document.documentElement.dataset.theme = getTheme();
  for (const listener of listeners) listener();
}

// Chosen in another tab.
window.addEventListener("storage", ({ key }) => {
  if (key === KEY || key === null) apply();
});
