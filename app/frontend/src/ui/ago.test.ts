import { expect, test } from "vitest";
import { ago } from "./ago";

test("time is told in its largest unit", () => {
  const now = new Date("2026-06-15T12:00:00Z");
  const before = (seconds: number) => ago(new Date(now.getTime() - seconds * 1000), now);
  expect(before(-5)).toBe("just now");
  expect(before(59)).toBe("just now");
  expect(before(60)).toBe("1 minute ago");
  expect(before(3 * 3600)).toBe("3 hours ago");
  expect(before(86_400)).toBe("yesterday");
  expect(before(800 * 86_400)).toBe("2 years ago");
});
