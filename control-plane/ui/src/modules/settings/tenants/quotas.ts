import { gib, mib, number } from '@/lib/show/units';
import type { Quotas } from './tenants';

interface About {
  label: string;
  /** In the form, where its field has a unit. */
  unit?: string;
  show: (value: number) => string;
}

export const QUOTAS: Record<keyof Quotas, About> = {
  pods: { label: 'CloudPods', show: number },
  vcpu: { label: 'vCPU', show: number },
  memory_mib: { label: 'Memory', unit: 'MiB', show: mib },
  disk_gib: { label: 'Disk', unit: 'GiB', show: gib },
  addresses: { label: 'Addresses', show: number },
  snapshots: { label: 'Snapshots', show: number },
  backups: { label: 'Backups', show: number },
};

export const QUOTA_NAMES = Object.keys(QUOTAS) as (keyof Quotas)[];
