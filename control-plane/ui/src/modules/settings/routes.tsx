import { IconNetwork, IconPhoto, IconTags, IconWebhook } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { listSearch, searchOf } from '@/lib/search';

export const plansRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/plans',
  validateSearch: searchOf({ ...listSearch }),
  component: lazyRouteComponent(() => import('./PlansPage'), 'PlansPage'),
});

export const imagesRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/images',
  validateSearch: searchOf({ ...listSearch }),
  component: lazyRouteComponent(() => import('./ImagesPage'), 'ImagesPage'),
});

export const ipPoolsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/ip-pools',
  validateSearch: searchOf({ ...listSearch }),
  component: lazyRouteComponent(() => import('./IpPoolsPage'), 'IpPoolsPage'),
});

export const webhooksRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/webhooks',
  validateSearch: searchOf({ ...listSearch }),
  component: lazyRouteComponent(() => import('./WebhooksPage'), 'WebhooksPage'),
});

export const settingsRoutes = [plansRoute, imagesRoute, ipPoolsRoute, webhooksRoute] as const;

export const settingsMenu: MenuEntry[] = [
  { label: 'Plans', icon: IconTags, to: '/settings/plans', permission: 'plans:read', where: 'platform' },
  { label: 'Images', icon: IconPhoto, to: '/settings/images', permission: 'images:read', where: 'platform' },
  { label: 'IP pools', icon: IconNetwork, to: '/settings/ip-pools', permission: 'ip_pools:read', where: 'platform' },
  { label: 'Webhooks', icon: IconWebhook, to: '/settings/webhooks', permission: 'webhooks:read' },
];
