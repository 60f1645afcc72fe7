import { PageHeading } from "../ui/PageHeading";
export function SettingsPage() {
  return <PageHeading>SettingsPage</PageHeading>;
}
