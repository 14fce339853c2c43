import { IconServer2 } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { flag, listSearch, moment, oneOf, searchOf, text } from '@/lib/search';

export const serversRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/servers',
  validateSearch: searchOf({
    ...listSearch,
    connection: oneOf(['pending', 'online', 'offline']),
    scheduling: oneOf(['online', 'locked', 'draining']),
    name_prefix: text,
    region: text,
    label: text,
    sort: oneOf(['name', '-name', 'created_at', '-created_at']),
    /** Whether the drawer to add one is open. */
    add: flag,
  }),
  component: lazyRouteComponent(() => import('./ServersPage'), 'ServersPage'),
});

/** Parts of a server's page beside the first, its overview. */
export const SERVER_TABS = ['pods', 'health', 'storages', 'drift', 'drain', 'agent'] as const;

/** `$server` is a server's id or name. */
export const serverRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/servers/$server',
  validateSearch: searchOf({
    ...listSearch,
    tab: oneOf(SERVER_TABS),
    /** The form that is open. */
    open: oneOf(['edit', 'drain', 'online', 'token', 'endpoint']),
    /** How long a time the health plots show; a day when left out. */
    range: oneOf(['1h', '6h', 'week', 'month']),
    /** Its end, in milliseconds of the epoch; now when left out. */
    until: moment,
    /** Whether drift that is over is listed. */
    closed: flag,
  }),
  component: lazyRouteComponent(() => import('./ServerPage'), 'ServerPage'),
});

export const serversRoutes = [serversRoute, serverRoute] as const;

export const serversMenu: MenuEntry = {
  label: 'Servers',
  icon: IconServer2,
  to: '/servers',
  permission: 'servers:read',
  where: 'platform',
  shortcut: 's',
};
