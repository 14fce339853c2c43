import { IconBox, IconListCheck } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { listSearch, oneOf, searchOf, text } from '@/lib/search';

export const JOB_STATES = ['queued', 'running', 'undoing', 'succeeded', 'failed', 'cancelled', 'stuck'] as const;

export const cloudpodsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/provisioning/cloudpods',
  validateSearch: searchOf({ ...listSearch, state: text, server_id: text, plan_id: text, name_prefix: text }),
  component: lazyRouteComponent(() => import('./CloudPodsPage'), 'CloudPodsPage'),
});

export const cloudpodRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/provisioning/cloudpods/$id',
  component: lazyRouteComponent(() => import('./CloudPodPage'), 'CloudPodPage'),
});

export const jobsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/provisioning/jobs',
  validateSearch: searchOf({
    ...listSearch,
    state: oneOf(JOB_STATES),
    kind: text,
    cloudpod_id: text,
    server_id: text,
    waits_for: text,
    /** The job whose detail is open. */
    job: text,
  }),
  component: lazyRouteComponent(() => import('./JobsPage'), 'JobsPage'),
});

export const provisioningRoutes = [cloudpodsRoute, cloudpodRoute, jobsRoute] as const;

export const provisioningMenu: MenuEntry[] = [
  { label: 'CloudPods', icon: IconBox, to: '/provisioning/cloudpods', permission: 'cloudpods:read', shortcut: 'p' },
  { label: 'Jobs', icon: IconListCheck, to: '/provisioning/jobs', permission: 'provisioning:read', shortcut: 'j' },
];
