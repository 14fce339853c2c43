import { IconCheck, IconHandStop } from '@tabler/icons-react';
import type { components } from '@/api/schema';
import { Pill } from '@/lib/pills/Pill';

/** Whether a tenant's people may do what their roles say. */
export function TenantPill({
  suspension,
}: {
  suspension: components['schemas']['TenantSuspension'] | null | undefined;
}) {
  return suspension ? (
    <Pill tone="bad" icon={IconHandStop} about={suspension.reason}>
      Suspended
    </Pill>
  ) : (
    <Pill tone="good" icon={IconCheck}>
      Active
    </Pill>
  );
}
