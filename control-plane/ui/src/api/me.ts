import { queryOptions, useSuspenseQuery } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { key } from './keys';
import type { components } from './schema';
import { useTenant } from './scope';

export type Me = components['schemas']['Me'];
export type Permission = components['schemas']['Permission'];

export function meQuery() {
  return queryOptions({
    queryKey: key('me'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/auth/me', { signal })),
    staleTime: 300_000,
  });
}

/** Who is signed in. Only below the routes that ask for a sign-in. */
export function useMe(): Me {
  return useSuspenseQuery(meQuery()).data;
}

/** Whether the one who is signed in may do something here; the server decides anyway. */
export function useCan(): (permission: Permission) => boolean {
  const { permissions } = useMe();
  return (permission) => permissions.includes(permission);
}

/** Whose data is shown: the platform's, or that of one tenant. */
export function useScope(): { isPlatform: boolean; tenant: string | undefined } {
  const me = useMe();
  const chosen = useTenant();
  const tenant = chosen ?? (me.staff ? undefined : me.memberships.find((one) => one.active)?.tenant_id);
  return { isPlatform: me.staff && !chosen, tenant };
}
