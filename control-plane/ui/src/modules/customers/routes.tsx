import { IconBuildingStore } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { flag, listSearch, oneOf, searchOf, text } from '@/lib/search';

export const PARTS = ['health', 'orders', 'pods', 'users', 'events', 'profile'] as const;
export type Part = (typeof PARTS)[number];

export const customersRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/customers',
  validateSearch: searchOf({
    ...listSearch,
    q: text,
    suspended: oneOf(['true', 'false']),
    overdue: oneOf(['true', 'false']),
    sort: oneOf(['name', '-name', 'created_at', '-created_at']),
    /** The customer that is open, and what of it. */
    customer: text,
    part: oneOf(PARTS),
    /** Whether the drawer to make one is open. */
    add: flag,
  }),
  component: lazyRouteComponent(() => import('./CustomersPage'), 'CustomersPage'),
});

export const customersRoutes = [customersRoute] as const;

export const customersMenu: MenuEntry = {
  label: 'Customers',
  icon: IconBuildingStore,
  to: '/customers',
  permission: 'customers:read',
  where: 'platform',
  shortcut: 'c',
};
