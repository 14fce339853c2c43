import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type Drift = components['schemas']['Drift'];
export type DriftKind = components['schemas']['DriftKind'];
type Query = NonNullable<paths['/api/platform/drift']['get']['parameters']['query']>;

export function driftsQuery(query: Query) {
  return queryOptions({
    queryKey: key('drift', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/drift', { params: { query }, signal })),
    placeholderData: (before) => before,
  });
}

/** What differs, in words. */
export const KINDS: Record<DriftKind, string> = {
  vm_missing: 'VM missing',
  power: 'Power differs',
  size: 'Size differs',
  moved: 'Moved',
  renamed: 'Renamed',
  autostart: 'Autostart differs',
  network: 'Network cards differ',
  firewall: 'Firewall differs',
  locked: 'Locked',
  duplicate: 'Second VM',
  orphan: 'Orphan',
};

/** What stands in one of its two sides, in words. */
export function said(side: object): string {
  return Object.entries(side)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}
