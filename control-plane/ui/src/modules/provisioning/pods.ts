import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';
import { inTenant } from '@/api/scope';

type Schemas = components['schemas'];
export type CloudPod = Schemas['CloudPod'];
export type Snapshot = Schemas['Snapshot'];
export type Backup = Schemas['Backup'];
export type BackupPolicy = Schemas['BackupPolicy'];
export type Firewall = Schemas['Firewall'];
export type FirewallRule = Schemas['FirewallRule'];
export type PodsQuery = NonNullable<paths['/api/provisioning/cloudpods']['get']['parameters']['query']>;

/** That a host is away is told to the staff alone: what customers see of its pods is old then, too. */
const HOSTS_MS = 60_000;

export function podsQuery(query: PodsQuery) {
  return queryOptions({
    queryKey: key('cloudpod', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/provisioning/cloudpods', { params: { query }, signal })),
    placeholderData: (before) => before,
    refetchInterval: HOSTS_MS,
  });
}

export function podQuery(id: string) {
  return queryOptions({
    queryKey: key('cloudpod', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/provisioning/cloudpods/{id}', { params: { path: { id } }, signal })),
    // One that cannot be read is not asked for again and again.
    refetchInterval: ({ state: { data, status } }) => (data && status !== 'error' ? HOSTS_MS : false),
  });
}

export function placementQuery(id: string) {
  return queryOptions({
    queryKey: key('cloudpod', 'placement', id),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/provisioning/cloudpods/{id}/placement', { params: { path: { id } }, signal })),
  });
}

/** What routes below a pod take: its id and, of staff who look at one tenant, that. */
export function podParams(id: string) {
  return { path: { id }, query: inTenant() };
}

export function snapshotsQuery(id: string) {
  return queryOptions({
    queryKey: key('cloudpod', 'snapshots', id),
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { ...inTenant(), limit: 200 } };
      return unwrap(api.GET('/api/admin/hosting/cloudpods/{id}/snapshots', { params, signal }));
    },
  });
}

export function backupsQuery(id: string, page_token?: string) {
  return queryOptions({
    queryKey: key('cloudpod', 'backups', id, page_token),
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { ...inTenant(), page_token } };
      return unwrap(api.GET('/api/admin/hosting/cloudpods/{id}/backups', { params, signal }));
    },
    placeholderData: (before) => before,
  });
}

export function policyQuery(id: string) {
  return queryOptions({
    queryKey: key('cloudpod', 'backup-policy', id),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/admin/hosting/cloudpods/{id}/backup-policy', { params: podParams(id), signal })),
  });
}

export function firewallQuery(id: string) {
  return queryOptions({
    queryKey: key('cloudpod', 'firewall', id),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/admin/hosting/cloudpods/{id}/firewall', { params: podParams(id), signal })),
  });
}

/** What it received and sent is no event. */
const TRAFFIC_MS = 60_000;

export function trafficQuery(id: string) {
  return queryOptions({
    queryKey: key('cloudpod', 'traffic', id),
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { ...inTenant(), months: 12 } };
      return unwrap(api.GET('/api/admin/hosting/cloudpods/{id}/traffic', { params, signal }));
    },
    refetchInterval: TRAFFIC_MS,
  });
}

/** The images that pods can be made of here. */
export function imagesQuery(tenant_id?: string) {
  const query = { ...inTenant(), ...(tenant_id ? { tenant_id } : {}), limit: 200 };
  return queryOptions({
    queryKey: key('image', 'visible', query),
    queryFn: async ({ signal }) => {
      const { items } = await unwrap(api.GET('/api/admin/hosting/images', { params: { query }, signal }));
      return items.filter((image) => image.active);
    },
    staleTime: 60_000,
  });
}

/** The plans that pods can be made of. */
export function plansQuery() {
  return queryOptions({
    queryKey: key('plan', 'offered'),
    queryFn: async ({ signal }) => {
      const query = { ...inTenant(), limit: 200 };
      return (await unwrap(api.GET('/api/admin/hosting/plans', { params: { query }, signal }))).items;
    },
    staleTime: 60_000,
  });
}

/** Where pods can be asked for. */
export function regionsQuery() {
  return queryOptions({
    queryKey: key('server', 'regions'),
    queryFn: async ({ signal }) => {
      const { items } = await unwrap(
        api.GET('/api/provisioning/regions', { params: { query: { limit: 200 } }, signal }),
      );
      return items.map(({ name }) => name);
    },
    staleTime: 60_000,
  });
}

/** The storages whose CDs everybody may use. */
export function isoStoragesQuery() {
  return queryOptions({
    queryKey: key('cloudpod', 'iso-storages'),
    queryFn: async ({ signal }) => {
      const { items } = await unwrap(
        api.GET('/api/provisioning/iso-storages', { params: { query: { limit: 200 } }, signal }),
      );
      return items.map(({ name }) => name);
    },
    // It is of the configuration, which no event tells of.
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Whether its customer may start, stop and change it. */
export function isUsable(pod: CloudPod): boolean {
  return pod.state === 'active';
}

/** Whether there is nothing left to be done to it. */
export function isGone(pod: CloudPod): boolean {
  return pod.state === 'deleted';
}
