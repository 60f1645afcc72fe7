/** The rules for an item, as the API has them. Said here too, so that people learn of a fault at once. */

export const TITLE_MAX = 255;
export const DESCRIPTION_MAX = 2000;

export interface Draft {
  title: string;
  description: string;
}

/** The name of each field that breaks a rule, with what to do about it. */
export type Faults = Partial<Record<keyof Draft, string>>;

export function check(draft: Draft): Faults {
  const faults: Faults = {};
  const title = count(draft.title);
  if (title === 0) faults.title = "Give the item a title.";
  if (title > TITLE_MAX) faults.title = `Shorten the title to ${TITLE_MAX} characters.`;
  if (count(draft.description) > DESCRIPTION_MAX) {
    faults.description = `Shorten the description to ${DESCRIPTION_MAX} characters.`;
  }
  return faults;
}

/** Counts code points, as the API does; `length` would count an emoji twice. */
export function count(text: string): number {
  return [...text.trim()].length;
}
