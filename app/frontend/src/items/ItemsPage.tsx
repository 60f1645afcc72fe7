import { PageHeading } from "../ui/PageHeading";
export function ItemsPage() {
  return <PageHeading>ItemsPage</PageHeading>;
}
