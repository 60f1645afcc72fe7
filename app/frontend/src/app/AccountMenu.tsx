/** Who is logged in, and the way out. */

import { useNavigate } from "@tanstack/react-router";
import { ChevronDown, LogOut, Settings } from "lucide-react";
import { useMe } from "../api/me";
import { logOut } from "../session/token";
import { Menu, MenuItem, MenuSeparator } from "../ui/Menu";

export function AccountMenu() {
  const me = useMe();
  const navigate = useNavigate();
  const name = me.full_name || me.email;
  return (
    <Menu
      label="Account menu"
      triggerClass="flex min-w-0 items-center gap-2.5 rounded-full p-1 transition-colors hover:bg-sunken data-popup-open:bg-sunken"
      trigger={
        <>
          <span className="grid size-8 shrink-0 place-items-center rounded-full bg-accent-soft text-sm font-bold text-accent uppercase">
            {[...name][0]}
          </span>
          <span className="hidden max-w-44 truncate text-sm font-medium sm:block">{name}</span>
          <ChevronDown className="mr-1 hidden size-4 text-muted sm:block" aria-hidden="true" />
        </>
      }
    >
      <div className="max-w-64 px-2.5 py-1.5 text-sm">
        {me.full_name && <p className="truncate font-semibold">{me.full_name}</p>}
        <p className="truncate text-muted">{me.email}</p>
      </div>
      <MenuSeparator />
      <MenuItem icon={Settings} onClick={() => navigate({ to: "/settings" })}>
        Settings
      </MenuItem>
      <MenuItem icon={LogOut} onClick={logOut}>
        Log out
      </MenuItem>
    </Menu>
  );
}
