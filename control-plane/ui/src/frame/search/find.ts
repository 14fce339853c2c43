// What the search finds, as far as the list routes can be asked: names from their beginning, addresses, ids, states.
import { IconBox, IconBuildingStore, IconListCheck, IconServer2, IconUser, type TablerIcon } from '@tabler/icons-react';
import type { NavigateOptions } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import type { Permission } from '@/api/me';
import { problemOf } from '@/api/problem';
import type { components } from '@/api/schema';
import { JOB_STATES, POD_STATES } from '@/modules/provisioning/routes';

export interface Hit {
  id: string;
  label: string;
  about: string;
  icon: TablerIcon;
  link: NavigateOptions;
}

interface Who {
  can: (permission: Permission) => boolean;
  isPlatform: boolean;
}

const LIMIT = 6;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]*:[\da-f:.]+)$/i;
const SERVER_STATES = ['online', 'offline', 'pending'] as const;

export async function find(text: string, { can, isPlatform }: Who, signal: AbortSignal): Promise<Hit[]> {
  const state = /^(?:status|state):(\w+)$/i.exec(text)?.[1]?.toLowerCase();
  if (state) return byState(state, { can, isPlatform });
  const asked: Promise<Hit[]>[] = [];
  if (can('servers:read')) asked.push(UUID.test(text) ? server(text, signal) : servers(text, signal));
  if (can('cloudpods:read')) asked.push(UUID.test(text) ? pod(text, signal) : pods(text, signal));
  if (can('provisioning:read') && UUID.test(text)) asked.push(job(text, signal));
  if (can('users:read') && !UUID.test(text)) asked.push(people(text, signal));
  if (isPlatform && can('customers:read')) asked.push(customers(text, signal));
  return (await Promise.all(asked.map(orNothing))).flat();
}

/** What is not there, or not for them, is nothing found. */
async function orNothing(asked: Promise<Hit[]>): Promise<Hit[]> {
  return asked.catch((cause: unknown) => {
    if ([403, 404, 422].includes(problemOf(cause).status)) return [];
    throw cause;
  });
}

function byState(state: string, { can, isPlatform }: Who): Hit[] {
  const hits: Hit[] = [];
  const jobs = JOB_STATES.find((one) => one === state);
  if (jobs && can('provisioning:read')) {
    const link: NavigateOptions = { to: '/provisioning/jobs', search: { state: jobs } };
    hits.push({ id: 'jobs', label: `Jobs that are ${state}`, about: 'List', icon: IconListCheck, link });
  }
  const servers = SERVER_STATES.find((one) => one === state);
  if (servers && isPlatform && can('servers:read')) {
    const link: NavigateOptions = { to: '/servers', search: { connection: servers } };
    hits.push({ id: 'servers', label: `Servers that are ${state}`, about: 'List', icon: IconServer2, link });
  }
  const podState = POD_STATES.find((one) => one === state);
  if (podState && can('cloudpods:read')) {
    const link: NavigateOptions = { to: '/provisioning/cloudpods', search: { state: podState } };
    hits.push({ id: 'pods', label: `CloudPods that are ${state}`, about: 'List', icon: IconBox, link });
  }
  return hits;
}

async function server(id: string, signal: AbortSignal): Promise<Hit[]> {
  return [serverHit(await unwrap(api.GET('/api/platform/servers/{id}', { params: { path: { id } }, signal })))];
}

async function servers(text: string, signal: AbortSignal): Promise<Hit[]> {
  const query = { name_prefix: text, sort: 'name' as const, limit: LIMIT };
  const { items } = await unwrap(api.GET('/api/platform/servers', { params: { query }, signal }));
  return items.map(serverHit);
}

function serverHit({ id, name, region }: components['schemas']['Server']): Hit {
  const link: NavigateOptions = { to: '/servers/$server', params: { server: name } };
  return { id, label: name, about: `Server in ${region}`, icon: IconServer2, link };
}

async function pods(text: string, signal: AbortSignal): Promise<Hit[]> {
  // By name: the one that is called just so comes before all that only begin so.
  const query = {
    ...(ADDRESS.test(text) ? { address: text } : { name_prefix: text }),
    sort: 'name' as const,
    limit: LIMIT,
  };
  const { items } = await unwrap(api.GET('/api/provisioning/cloudpods', { params: { query }, signal }));
  return items.map(({ id, name }) => podHit(id, name));
}

async function pod(id: string, signal: AbortSignal): Promise<Hit[]> {
  const found = await unwrap(api.GET('/api/provisioning/cloudpods/{id}', { params: { path: { id } }, signal }));
  return [podHit(found.id, found.name)];
}

function podHit(id: string, name: string): Hit {
  const link: NavigateOptions = { to: '/provisioning/cloudpods/$id', params: { id } };
  return { id, label: name, about: 'CloudPod', icon: IconBox, link };
}

async function job(id: string, signal: AbortSignal): Promise<Hit[]> {
  const found = await unwrap(api.GET('/api/provisioning/jobs/{id}', { params: { path: { id } }, signal }));
  const link: NavigateOptions = { to: '/provisioning/jobs', search: { job: id } };
  return [{ id, label: `${found.kind}: ${found.state}`, about: 'Job', icon: IconListCheck, link }];
}

async function people(text: string, signal: AbortSignal): Promise<Hit[]> {
  const query = { email_prefix: text, sort: 'email' as const, limit: LIMIT };
  const { items } = await unwrap(api.GET('/api/users', { params: { query }, signal }));
  return items.map(({ id, tenant_id, email, name }) => {
    const link: NavigateOptions = { to: '/users', search: { email_prefix: email } };
    return { id: `${id} ${tenant_id}`, label: email, about: name, icon: IconUser, link };
  });
}

async function customers(text: string, signal: AbortSignal): Promise<Hit[]> {
  const query = { q: text, limit: LIMIT };
  const { items } = await unwrap(api.GET('/api/admin/customers', { params: { query }, signal }));
  return items.map(({ tenant_id, name, profile }) => {
    const link: NavigateOptions = { to: '/customers', search: { customer: tenant_id } };
    const about = profile.company ? `Customer: ${profile.company}` : 'Customer';
    return { id: tenant_id, label: name, about, icon: IconBuildingStore, link };
  });
}
