import { IconCheck, IconPlayerPause } from '@tabler/icons-react';
import { Pill } from '@/lib/pills/Pill';

/** Whether new things may be made of it. */
export function ActivePill({ active, about }: { active: boolean; about?: string }) {
  return active ? (
    <Pill tone="good" icon={IconCheck}>
      Active
    </Pill>
  ) : (
    <Pill tone="plain" icon={IconPlayerPause} about={about}>
      Inactive
    </Pill>
  );
}

export const ACTIVE_OPTIONS = [
  { value: 'true', label: 'Active' },
  { value: 'false', label: 'Inactive' },
];

export function isTrue(value: 'true' | 'false' | undefined): boolean | undefined {
  return value === undefined ? undefined : value === 'true';
}
