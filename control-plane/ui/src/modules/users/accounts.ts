import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type Account = components['schemas']['Account'];
export type Recovery = components['schemas']['AccountRecovery'];

type AccountsQuery = NonNullable<paths['/api/platform/users']['get']['parameters']['query']>;

export function accountsQuery(query: AccountsQuery) {
  return queryOptions({
    queryKey: key('user', 'accounts', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/users', { params: { query }, signal })),
    placeholderData: (before) => before,
  });
}
