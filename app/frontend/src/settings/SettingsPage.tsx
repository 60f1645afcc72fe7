/** What one can change of oneself and of how the site looks. */

import { getRouteApi } from "@tanstack/react-router";
import { PageHeading } from "../ui/PageHeading";
import { Tabs } from "../ui/Tabs";
import { Appearance } from "./Appearance";
import { DeleteAccount } from "./DeleteAccount";
import { PasswordForm } from "./PasswordForm";
import { ProfileForm } from "./ProfileForm";

const route = getRouteApi("/members/settings");

export function SettingsPage() {
  const { tab = "profile" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <div className="max-w-xl">
      <PageHeading className="mb-4">Settings</PageHeading>
      <Tabs
        label="Settings"
        value={tab}
        onChange={(tab) => void navigate({ search: { tab }, replace: true })}
        tabs={[
          { value: "profile", label: "Profile", content: <ProfileForm /> },
          { value: "password", label: "Password", content: <PasswordForm /> },
          { value: "appearance", label: "Appearance", content: <Appearance /> },
          { value: "account", label: "Account", content: <DeleteAccount /> },
        ]}
      />
    </div>
  );
}
