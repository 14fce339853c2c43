import { Divider, NavLink, ScrollArea } from '@mantine/core';
import { Link, useRouterState } from '@tanstack/react-router';
import { Fragment } from 'react';
import { useCan, useScope } from '@/api/me';
import { menu } from '@/modules';
import type { MenuEntry } from './menu';

/** The entries that lead to something for the one who is signed in, here. */
export function useMenu(): MenuEntry[] {
  const can = useCan();
  const { isPlatform } = useScope();
  const here = isPlatform ? 'platform' : 'tenant';
  return menu.filter(({ permission, where }) => can(permission) && (!where || where === here));
}

/** Whether a path is an entry's, or of a page below it. */
function isAt(path: string, { to }: MenuEntry): boolean {
  return to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`);
}

/** The module that a page is of, where the one who is signed in may not look at it. */
export function useRefused(): MenuEntry | undefined {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const can = useCan();
  return menu.find((entry) => isAt(path, entry) && !can(entry.permission));
}

export function Navigation({ onGo }: { onGo: () => void }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const entries = useMenu();
  const isSetting = (entry: MenuEntry) => entry.to.startsWith('/settings/');
  const firstSetting = entries.find(isSetting);
  return (
    <ScrollArea type="auto" h="100%">
      {entries.map((entry) => {
        const { label, icon: Icon, to } = entry;
        const isHere = isAt(path, entry);
        return (
          <Fragment key={to}>
            {entry === firstSetting && <Divider my="xs" label="Settings" labelPosition="left" />}
            <NavLink
              renderRoot={(props) => <Link to={to} {...props} />}
              label={label}
              leftSection={<Icon aria-hidden size={18} stroke={1.6} />}
              active={isHere}
              aria-current={isHere ? 'page' : undefined}
              onClick={onGo}
              fw={isHere ? 600 : 450}
              py={6}
              style={{ borderRadius: 'var(--mantine-radius-sm)' }}
            />
          </Fragment>
        );
      })}
    </ScrollArea>
  );
}
