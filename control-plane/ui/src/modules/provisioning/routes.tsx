import { IconBox, IconListCheck } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { AGES, AGES_OR_NAMES, count, flag, listSearch, oneOf, searchOf, text } from '@/lib/search';

export const JOB_STATES = ['queued', 'running', 'undoing', 'succeeded', 'failed', 'cancelled', 'stuck'] as const;
export const POD_STATES = [
  'requested',
  'provisioning',
  'active',
  'suspended',
  'deleting',
  'deleted',
  'failed',
] as const;
export const POD_TABS = ['overview', 'network', 'snapshots', 'backups', 'activity'] as const;
export const POD_ACTIONS = [
  'rename',
  'shutdown',
  'resize',
  'rebuild',
  'migrate',
  'password',
  'rescue',
  'media',
  'keys',
  'capture',
] as const;
export type PodAction = (typeof POD_ACTIONS)[number];

export const cloudpodsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/provisioning/cloudpods',
  validateSearch: searchOf({
    ...listSearch,
    state: oneOf(POD_STATES),
    server_id: text,
    plan_id: text,
    tenant_id: text,
    name_prefix: text,
    address: text,
    sort: oneOf(AGES_OR_NAMES),
    /** Whether the form to adopt a VM is open; on which server it is, and its number there, where a link knows. */
    adopt: flag,
    adopt_server: text,
    adopt_vmid: count,
  }),
  component: lazyRouteComponent(() => import('./list/CloudPodsPage'), 'CloudPodsPage'),
});

export const createPodRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/provisioning/cloudpods/new',
  validateSearch: searchOf({
    /** The job that makes it. */
    job: text,
    cloudpod: text,
    /** The CloudPod as which it is asked for again. */
    like: text,
  }),
  component: lazyRouteComponent(() => import('./create/CreatePodPage'), 'CreatePodPage'),
});

export const cloudpodRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/provisioning/cloudpods/$id',
  validateSearch: searchOf({
    ...listSearch,
    tab: oneOf(POD_TABS),
    /** The form that is open. */
    action: oneOf(POD_ACTIONS),
    /** The job whose detail is open. */
    job: text,
  }),
  component: lazyRouteComponent(() => import('./pod/CloudPodPage'), 'CloudPodPage'),
});

export const consoleRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/provisioning/cloudpods/$id/console',
  component: lazyRouteComponent(() => import('./console/ConsolePage'), 'ConsolePage'),
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
    sort: oneOf(AGES),
    /** The job whose detail is open. */
    job: text,
  }),
  component: lazyRouteComponent(() => import('./jobs/JobsPage'), 'JobsPage'),
});

export const provisioningRoutes = [cloudpodsRoute, createPodRoute, cloudpodRoute, consoleRoute, jobsRoute] as const;

export const provisioningMenu: MenuEntry[] = [
  { label: 'CloudPods', icon: IconBox, to: '/provisioning/cloudpods', permission: 'cloudpods:read', shortcut: 'p' },
  { label: 'Jobs', icon: IconListCheck, to: '/provisioning/jobs', permission: 'provisioning:read', shortcut: 'j' },
];
