import { useQuery } from '@tanstack/react-query';
import { useCan } from '@/api/me';
import { Stale } from '@/lib/show/Stale';
import { serverQuery } from '../../servers/servers';
import type { CloudPod } from '../pods';

/** Says that the pod's server is not heard, to whom servers are shown. */
export function PodStale({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const { data } = useQuery({
    ...serverQuery(pod.server?.id ?? ''),
    enabled: can('servers:read') && pod.server != null,
  });
  if (!pod.server || data?.connection.state !== 'offline') return null;
  return <Stale since={data.connection.last_seen_at} />;
}
