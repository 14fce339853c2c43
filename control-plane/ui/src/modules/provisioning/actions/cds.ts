import { useQuery } from '@tanstack/react-query';
import { useCan } from '@/api/me';
import { isoStoragesQuery } from '../pods';

/** Whether there are CDs for who looks, and what a field for one says of where they are. Staff may use those of every storage. */
export function useCds(): { hasCds: boolean; about: string } {
  const can = useCan();
  const seesServers = can('servers:read');
  const { data: storages = [] } = useQuery({ ...isoStoragesQuery(), enabled: !seesServers });
  if (seesServers) return { hasCds: true, about: "An ISO file of one of its server's storages, as STORAGE:iso/NAME" };
  const hasCds = storages.length > 0;
  return { hasCds, about: hasCds ? `An ISO file, as ${storages.join(' or ')}:iso/NAME` : 'None is offered here' };
}
