import { PageHeading } from "../ui/PageHeading";
export function AdminPage() {
  return <PageHeading>AdminPage</PageHeading>;
}
