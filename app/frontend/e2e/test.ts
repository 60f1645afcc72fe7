/** The start of every story: a browser of its own that somebody watches. */

import { test as base, expect } from "@playwright/test";
import { Watch } from "./watch";

export const test = base.extend<{ watch: Watch }>({
  watch: [
    async ({ context }, use) => {
      const watch = new Watch(context);
      await use(watch);
      expect(watch.faults).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
