import { useQuery } from '@tanstack/react-query';
import { useCan } from '@/api/me';
import { serversQuery } from '../servers/servers';

/** The servers, for who is shown them: to choose one. */
export function useServers() {
  const can = useCan();
  return useQuery({ ...serversQuery({ limit: 200, sort: 'name' }), enabled: can('servers:read') });
}

/** The end of an id, which differs; its beginning is a time. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`;
}
