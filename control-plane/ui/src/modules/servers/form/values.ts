import type { components } from '@/api/schema';
import type { Server } from '../servers';

type Create = components['schemas']['ServerCreate'];
type Patch = components['schemas']['ServerPatch'];

/** What a number field without a number holds. */
type Amount = number | '';

export interface ServerValues {
  name: string;
  region: string;
  /** Each as `key=value`. */
  labels: string[];
  bridge: string;
  vmid_min: Amount;
  vmid_max: Amount;
  cpu_threads: Amount;
  cpu_overcommit: Amount;
  memory_mib: Amount;
  pod_limit: Amount;
  backup_storage: string;
  storages: { name: string; disk_gib: Amount }[];
}

export const NEW: ServerValues = {
  name: '',
  region: 'default',
  labels: [],
  bridge: 'vmbr0',
  vmid_min: 10_000,
  vmid_max: 999_999,
  cpu_threads: '',
  cpu_overcommit: 1,
  memory_mib: '',
  pod_limit: '',
  backup_storage: '',
  storages: [{ name: 'local-lvm', disk_gib: '' }],
};

export function valuesOf(server: Server): ServerValues {
  const { name, region, labels, bridge, vmid_min, vmid_max, cpu_overcommit, storages } = server;
  return {
    name,
    region,
    labels: Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    bridge,
    vmid_min,
    vmid_max,
    cpu_threads: server.cpu_threads ?? '',
    cpu_overcommit,
    memory_mib: server.memory_mib ?? '',
    pod_limit: server.pod_limit ?? '',
    backup_storage: server.backup_storage ?? '',
    storages: storages
      .filter((one) => one.offered)
      .map(({ name: storage, disk_gib }) => ({ name: storage, disk_gib: disk_gib ?? '' })),
  };
}

function given(amount: Amount): number | null {
  return amount === '' ? null : amount;
}

/** As the API takes it. */
export function bodyOf(values: ServerValues): Create & Patch {
  return {
    name: values.name.trim(),
    region: values.region.trim() || 'default',
    labels: labelsOf(values.labels),
    bridge: values.bridge.trim(),
    vmid_min: given(values.vmid_min),
    vmid_max: given(values.vmid_max),
    cpu_threads: given(values.cpu_threads),
    cpu_overcommit: given(values.cpu_overcommit),
    memory_mib: given(values.memory_mib),
    pod_limit: given(values.pod_limit),
    backup_storage: values.backup_storage.trim() || null,
    storages: values.storages.map(({ name, disk_gib }) => ({ name: name.trim(), disk_gib: given(disk_gib) })),
  };
}

/** What was changed alone, so that nothing is overwritten that nobody touched. */
export function changesOf(before: ServerValues, after: ServerValues): Patch {
  const [from, to] = [bodyOf(before), bodyOf(after)];
  const fields = Object.keys(to) as (keyof Patch)[];
  return Object.fromEntries(
    fields
      .filter((field) => JSON.stringify(from[field]) !== JSON.stringify(to[field]))
      .map((field) => [field, to[field]]),
  );
}

function labelsOf(labels: string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const [key = '', ...value] = label.split('=');
      return [key.trim(), value.join('=').trim()];
    }),
  );
}

export function labelsFault(labels: string[]): string | null {
  const wrong = labels.find((label) => !/^[^=\s]+=/.test(label));
  return wrong === undefined ? null : `“${wrong}” must be key=value, such as disk=ssd`;
}
