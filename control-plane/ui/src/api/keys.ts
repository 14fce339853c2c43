// Keys of queries: what is shown, by its noun as events name it, and whose it is. An event of a noun makes the queries of it be
// read anew: those of one thing, whose id or name is the fourth part, when it is about that one.
import { currentTenant } from './scope';

export type Noun =
  | 'audit'
  | 'backup'
  | 'cloudpod'
  | 'customer'
  | 'drain'
  | 'drift'
  | 'image'
  | 'invariant'
  | 'invitation'
  | 'ip_pool'
  | 'job'
  | 'me'
  // Figures: read again slowly, and not with each event.
  | 'overview'
  | 'plan'
  | 'quota'
  | 'server'
  | 'session'
  | 'snapshot'
  | 'tenant'
  | 'token'
  | 'user'
  | 'webhook';

/** The key of a query, such as `key('server', 'list', filters)` or `key('server', 'one', id)`. */
export function key(noun: Noun, ...rest: unknown[]): unknown[] {
  return [noun, currentTenant() ?? 'own', ...rest];
}

/** Which queries an event's noun makes old. */
const CHANGED_BY: Record<string, Noun[]> = {
  backup: ['backup', 'cloudpod', 'quota'],
  cloudpod: ['cloudpod', 'quota'],
  customer: ['customer'],
  drain: ['drain', 'server'],
  drift: ['drift'],
  image: ['image'],
  invitation: ['invitation'],
  ip_pool: ['ip_pool'],
  job: ['job', 'cloudpod'],
  jobs: ['job'],
  membership: ['user', 'me'],
  plan: ['plan'],
  // Of a host that is away, what was told of its pods is old.
  server: ['server', 'cloudpod'],
  session: ['session'],
  snapshot: ['snapshot', 'cloudpod', 'quota'],
  tenant: ['tenant', 'customer', 'quota', 'me'],
  token: ['token'],
  user: ['user', 'me'],
  webhook: ['webhook'],
};

export function changedBy(event: string): Noun[] {
  return CHANGED_BY[event.split('.', 1)[0] ?? ''] ?? [];
}
