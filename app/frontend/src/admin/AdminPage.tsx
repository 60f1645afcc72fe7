/** What superusers see: all users, and whether mail works. */

import { getRouteApi } from "@tanstack/react-router";
import { ShieldAlert, UserPlus, Users } from "lucide-react";
import type { User } from "../api/client";
import { useMe } from "../api/me";
import { useUsers } from "../api/users";
import { useListPart } from "../app/listPart";
import { ButtonLink } from "../ui/Button";
import { classes } from "../ui/classes";
import { ListPage } from "../ui/ListPage";
import { State } from "../ui/State";
import { Time } from "../ui/Time";
import { TestMail } from "./TestMail";
import { UserActions } from "./UserActions";
import { AddUserForm } from "./UserForm";

const route = getRouteApi("/members/admin");

const COLUMNS = [
  { label: "User" },
  { label: "Role", className: "hidden sm:table-cell sm:w-48" },
  { label: "Since", className: "hidden md:table-cell md:w-36" },
  { label: "Actions", isLabelHidden: true, className: "w-15" },
];

export function AdminPage() {
  return useMe().is_superuser ? <Administration /> : <NotForYou />;
}

function NotForYou() {
  return (
    <div className="card">
      <State icon={ShieldAlert} title="Only superusers can see this page" isFault isPage>
        <p className="text-muted">Ask one of them if you need to.</p>
        <ButtonLink to="/" className="mt-4">
          Go to the dashboard
        </ButtonLink>
      </State>
    </div>
  );
}

function Administration() {
  const { part, show } = useListPart(route.useSearch(), route.useNavigate());
  const users = useUsers(part);
  return (
    <>
      <ListPage
        heading="Users"
        what="users"
        one="user"
        addIcon={UserPlus}
        query={users}
        part={part}
        onPart={show}
        columns={COLUMNS}
        row={(user) => <Row key={user.id} user={user} />}
        empty={<State icon={Users} title="Nobody here" />}
        form={(onAdded) => <AddUserForm onSaved={({ email }) => onAdded(`${email} was added.`)} />}
      />
      <TestMail />
    </>
  );
}

function Row({ user }: { user: User }) {
  const isMe = useMe().id === user.id;
  return (
    <tr className="transition-colors hover:bg-sunken/50">
      <th scope="row" className="px-4 py-3 font-normal">
        <span className="flex items-center gap-2">
          <span className="truncate font-medium" title={user.email}>
            {user.email}
          </span>
          {isMe && <Tag look="bg-sunken text-muted">you</Tag>}
        </span>
        <span className="block truncate text-sm text-muted">{user.full_name ?? "No name"}</span>
        <span className="flex gap-1.5 *:mt-1.5 sm:hidden">
          <Role user={user} />
        </span>
      </th>
      <td className="hidden px-4 py-3 sm:table-cell">
        <span className="flex flex-wrap gap-1.5">
          <Role user={user} />
        </span>
      </td>
      <td className="hidden px-4 py-3 text-sm text-muted md:table-cell">
        <Time at={user.created_at} />
      </td>
      <td className="py-2 pr-3">
        <div className="flex justify-end">
          <UserActions user={user} />
        </div>
      </td>
    </tr>
  );
}

function Role({ user }: { user: User }) {
  return (
    <>
      {user.is_superuser ? (
        <Tag look="bg-accent-soft text-accent">Superuser</Tag>
      ) : (
        <Tag look="bg-sunken text-muted max-sm:hidden">Member</Tag>
      )}
      {!user.is_active && <Tag look="bg-warning-soft text-warning">Inactive</Tag>}
    </>
  );
}

function Tag({ look, children }: { look: string; children: string }) {
  return (
    <span className={classes("rounded-full px-2 py-0.5 text-xs font-semibold", look)}>
      {children}
    </span>
  );
}
