/** Light, dark, or as the device has it. Kept in this browser alone. */

import { setTheme, THEMES, type Theme, useTheme } from "../theme";
import { Choice } from "../ui/Field";

const WORDS: Record<Theme, { label: string; hint: string }> = {
  system: { label: "System", hint: "As this device has it." },
  light: { label: "Light", hint: "Dark text on a bright page." },
  dark: { label: "Dark", hint: "Bright text on a dark page." },
};

export function Appearance() {
  const chosen = useTheme();
  return (
    <fieldset className="grid gap-3">
      <legend className="mb-3 text-sm font-semibold">Theme</legend>
      {THEMES.map((theme) => (
        <Choice
          key={theme}
          type="radio"
          name="theme"
          value={theme}
          checked={theme === chosen}
          onChange={() => setTheme(theme)}
          className="rounded-xl border border-line p-4 transition-colors hover:border-field has-checked:border-accent has-checked:bg-accent-soft/50"
          {...WORDS[theme]}
        />
      ))}
    </fieldset>
  );
}
