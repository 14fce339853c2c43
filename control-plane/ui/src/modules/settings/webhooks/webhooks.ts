import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';
import { inTenant } from '@/api/scope';

type Schemas = components['schemas'];
export type Webhook = Schemas['Webhook'];
export type Delivery = Schemas['WebhookDelivery'];

type PageQuery = NonNullable<paths['/api/admin/webhooks']['get']['parameters']['query']>;
type DeliveriesQuery = NonNullable<paths['/api/admin/webhooks/{id}/deliveries']['get']['parameters']['query']>;

/** Deliveries are no events: a webhook that is told of its own would never end. */
const PENDING_MS = 3000;
const QUIET_MS = 20_000;

export function webhooksQuery(search: PageQuery) {
  const query = { ...search, ...inTenant() };
  return queryOptions({
    queryKey: key('webhook', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/webhooks', { params: { query }, signal })),
  });
}

export function webhookQuery(id: string) {
  const params = { path: { id }, query: inTenant() };
  return queryOptions({
    queryKey: key('webhook', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/webhooks/{id}', { params, signal })),
  });
}

export function deliveriesQuery(id: string, search: DeliveriesQuery) {
  const params = { path: { id }, query: { ...search, ...inTenant() } };
  return queryOptions({
    queryKey: key('webhook', 'deliveries', id, search),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/webhooks/{id}/deliveries', { params, signal })),
    refetchInterval: ({ state: { data } }) =>
      data?.items.some(({ next_at }) => isSoon(next_at)) ? PENDING_MS : QUIET_MS,
  });
}

export function deliveryQuery(id: string, delivery: string) {
  const params = { path: { id, delivery }, query: inTenant() };
  return queryOptions({
    queryKey: key('webhook', 'delivery', delivery),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/webhooks/{id}/deliveries/{delivery}', { params, signal })),
    refetchInterval: ({ state: { data } }) => (isSoon(data?.delivery.next_at) ? PENDING_MS : QUIET_MS),
  });
}

/** Whether a try is due within moments: a later one is not worth asking for so often. */
function isSoon(at: string | null | undefined): boolean {
  return at != null && Date.parse(at) < Date.now() + 5 * PENDING_MS;
}
