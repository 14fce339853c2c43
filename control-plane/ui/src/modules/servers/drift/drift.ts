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
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${word(value)}`)
    .join(', ');
}

/** A network card is an object of its own, null where there is none. */
function word(value: unknown): string {
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.map(word).join(' and ') || 'none';
  return typeof value === 'object' ? `(${said(value)})` : `${value}`;
}
