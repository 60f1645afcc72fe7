import { PageHeading } from "../ui/PageHeading";
export function DashboardPage() {
  return <PageHeading>DashboardPage</PageHeading>;
}
