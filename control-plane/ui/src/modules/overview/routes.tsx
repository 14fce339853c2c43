import { IconLayoutDashboard } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';

const overviewRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/',
  component: lazyRouteComponent(() => import('./OverviewPage'), 'OverviewPage'),
});

export const overviewRoutes = [overviewRoute] as const;

export const overviewMenu: MenuEntry = {
  label: 'Overview',
  icon: IconLayoutDashboard,
  to: '/',
  permission: 'account:read',
  shortcut: 'o',
};
