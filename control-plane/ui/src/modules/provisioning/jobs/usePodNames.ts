import { useQuery } from '@tanstack/react-query';
import { podsQuery } from '../pods';
import { shortId } from '../servers';

/** Jobs only number their pods: those of the newest are named, others are shown by the end of their id. */
export function usePodNames(): (id: string) => string {
  const { data } = useQuery({ ...podsQuery({ limit: 200 }), staleTime: 60_000 });
  const names = new Map(data?.items.map(({ id, name }) => [id, name]));
  return (id) => names.get(id) ?? shortId(id);
}
