import { IconBan, IconCheck, IconHandStop, IconTransferOut, type TablerIcon } from '@tabler/icons-react';
import type { components } from '@/api/schema';
import { Pill, type Tone } from '@/lib/pills/Pill';

type State = components['schemas']['DrainState'];

const LOOKS: Record<State, [Tone, TablerIcon, string]> = {
  running: ['busy', IconTransferOut, 'Under way'],
  blocked: ['warn', IconHandStop, 'Blocked'],
  done: ['good', IconCheck, 'Done'],
  cancelled: ['plain', IconBan, 'Cancelled'],
};

export function DrainPill({ state }: { state: State }) {
  const [tone, icon, label] = LOOKS[state];
  return (
    <Pill tone={tone} icon={icon}>
      {label}
    </Pill>
  );
}
