import { IconBuilding, IconBuildings, IconNetwork, IconPhoto, IconTags, IconWebhook } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { AGES_OR_NAMES, flag, listSearch, oneOf, searchOf, text } from '@/lib/search';

const TRUTH = oneOf(['true', 'false']);

export const tenantsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/tenants',
  validateSearch: searchOf({
    ...listSearch,
    state: oneOf(['active', 'suspended']),
    name_prefix: text,
    sort: oneOf(AGES_OR_NAMES),
    add: flag,
  }),
  component: lazyRouteComponent(() => import('./tenants/TenantsPage'), 'TenantsPage'),
});

export const tenantRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/tenants/$tenant',
  validateSearch: searchOf({ quotas: flag }),
  component: lazyRouteComponent(() => import('./tenants/TenantPage'), 'TenantPage'),
});

/** The one that is shown, for its own people. */
export const ownTenantRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/tenant',
  validateSearch: searchOf({ quotas: flag }),
  component: lazyRouteComponent(() => import('./tenants/OwnTenantPage'), 'OwnTenantPage'),
});

export const plansRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/plans',
  validateSearch: searchOf({ ...listSearch, active: TRUTH, plan: text, add: flag }),
  component: lazyRouteComponent(() => import('./plans/PlansPage'), 'PlansPage'),
});

export const imagesRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/images',
  validateSearch: searchOf({ ...listSearch, active: TRUTH, image: text, add: flag }),
  component: lazyRouteComponent(() => import('./images/ImagesPage'), 'ImagesPage'),
});

export const ipPoolsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/ip-pools',
  validateSearch: searchOf({ ...listSearch, family: oneOf(['4', '6']), region: text, active: TRUTH, add: flag }),
  component: lazyRouteComponent(() => import('./pools/IpPoolsPage'), 'IpPoolsPage'),
});

/** `$pool` is a pool's id or name. */
export const ipPoolRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/ip-pools/$pool',
  validateSearch: searchOf({ ...listSearch, edit: flag }),
  component: lazyRouteComponent(() => import('./pools/IpPoolPage'), 'IpPoolPage'),
});

export const webhooksRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/webhooks',
  validateSearch: searchOf({ ...listSearch, add: flag }),
  component: lazyRouteComponent(() => import('./webhooks/WebhooksPage'), 'WebhooksPage'),
});

export const webhookRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/settings/webhooks/$id',
  validateSearch: searchOf({
    ...listSearch,
    state: oneOf(['pending', 'delivered', 'failed']),
    /** The delivery whose log is open. */
    delivery: text,
    edit: flag,
  }),
  component: lazyRouteComponent(() => import('./webhooks/WebhookPage'), 'WebhookPage'),
});

export const settingsRoutes = [
  tenantsRoute,
  tenantRoute,
  ownTenantRoute,
  plansRoute,
  imagesRoute,
  ipPoolsRoute,
  ipPoolRoute,
  webhooksRoute,
  webhookRoute,
] as const;

export const settingsMenu: MenuEntry[] = [
  { label: 'Tenants', icon: IconBuildings, to: '/settings/tenants', permission: 'tenants:read', where: 'platform' },
  { label: 'Tenant', icon: IconBuilding, to: '/settings/tenant', permission: 'tenants:read', where: 'tenant' },
  { label: 'Plans', icon: IconTags, to: '/settings/plans', permission: 'plans:read', where: 'platform' },
  { label: 'Images', icon: IconPhoto, to: '/settings/images', permission: 'images:read', where: 'platform' },
  { label: 'IP pools', icon: IconNetwork, to: '/settings/ip-pools', permission: 'ip_pools:read', where: 'platform' },
  { label: 'Webhooks', icon: IconWebhook, to: '/settings/webhooks', permission: 'webhooks:read' },
];
