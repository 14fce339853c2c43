import { useQuery } from '@tanstack/react-query';
import { useCan } from '@/api/me';
import { serversQuery } from '../servers/servers';

/** The servers, for who is shown them: to choose one. */
export function useServers() {
  const can = useCan();
  return useQuery({ ...serversQuery({ limit: 200, sort: 'name' }), enabled: can('servers:read') });
}

/** Since when the servers that are offline are not heard, by id; undefined for who is not shown servers. */
export function useSilentServers(): ReadonlyMap<string, string | null | undefined> | undefined {
  const can = useCan();
  const { data } = useServers();
  if (!can('servers:read')) return undefined;
  const offline = (data?.items ?? []).filter(({ connection }) => connection.state === 'offline');
  return new Map(offline.map(({ id, connection }) => [id, connection.last_seen_at]));
}

/** The end of an id, which differs; its beginning is a time. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`;
}
