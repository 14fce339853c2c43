import type { components } from '@/api/schema';
import type { CloudPod } from '../pods';
import { keysOf } from './KeysInput';

type Body = components['schemas']['CloudPodCreate'];

export interface CreateValues {
  /** Staff choose it where they look at the platform. */
  tenant_id: string;
  plan: string;
  image: string;
  name: string;
  user: string;
  ssh_keys: string;
  ip_pools: string[];
  /** `key=value` each. */
  labels: string[];
  placement: { region: string; server: string; storage: string; anti_affinity: boolean };
}

/** Which fields are on which step. */
export const STEPS: (keyof CreateValues)[][] = [
  ['tenant_id', 'plan', 'image'],
  ['name', 'user', 'ssh_keys'],
  ['placement', 'labels', 'ip_pools'],
];

export const EMPTY: CreateValues = {
  tenant_id: '',
  plan: '',
  image: '',
  name: '',
  user: '',
  ssh_keys: '',
  ip_pools: [],
  labels: [],
  placement: { region: '', server: '', storage: '', anti_affinity: false },
};

/** As a pod was asked for. What only the platform chooses is left out for others: theirs with it is refused. */
export function valuesOf(pod: CloudPod, isStaff: boolean): CreateValues {
  const { tenant_id, plan, image, name, user, ssh_keys, placement } = pod;
  const { region, labels, anti_affinity } = placement;
  const { server, storage, ip_pools } = isStaff ? placement : { server: null, storage: null, ip_pools: [] };
  return {
    tenant_id,
    plan: plan.name,
    image: image.name,
    name,
    user,
    ssh_keys: ssh_keys.join('\n'),
    ip_pools,
    labels: Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    placement: { region: region ?? '', server: server ?? '', storage: storage ?? '', anti_affinity },
  };
}

export function placementOf({ placement, labels }: CreateValues): NonNullable<Body['placement']> {
  const { region, server, storage, anti_affinity } = placement;
  const pairs = labels.map((label) => {
    const at = label.indexOf('=');
    return at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)];
  });
  return {
    region: region || null,
    server: server || null,
    storage: storage || null,
    labels: Object.fromEntries(pairs),
    anti_affinity,
  };
}

export function bodyOf(values: CreateValues): Body {
  const { name, plan, image, user, ssh_keys, ip_pools } = values;
  return {
    name,
    plan,
    image,
    user: user || null,
    ssh_keys: keysOf(ssh_keys),
    ip_pools,
    placement: placementOf(values),
  };
}
