import { IconBuildingStore } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { listSearch, searchOf } from '@/lib/search';

export const customersRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/customers',
  validateSearch: searchOf({ ...listSearch }),
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
