import { IconBan, IconCheck } from '@tabler/icons-react';
import { Pill } from '@/lib/pills/Pill';
import { exact } from '@/lib/show/Time';

/** Whether somebody may come in. */
export function UserPill({ suspendedAt }: { suspendedAt: string | null | undefined }) {
  return suspendedAt ? (
    <Pill tone="bad" icon={IconBan} about={`Since ${exact(suspendedAt)}`}>
      Suspended
    </Pill>
  ) : (
    <Pill tone="good" icon={IconCheck}>
      Active
    </Pill>
  );
}
