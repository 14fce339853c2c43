import {
  IconCircleDashed,
  IconHourglassHigh,
  IconLoader2,
  IconLock,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconQuestionMark,
  IconTrash,
  IconTrashX,
  IconX,
  type TablerIcon,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { components } from '@/api/schema';
import { Pill, type Tone } from './Pill';

type Look = [Tone, TablerIcon, string];
type Power = components['schemas']['Power'];

const POWER: Record<Power, Look> = {
  running: ['good', IconPlayerPlay, 'Running'],
  stopped: ['plain', IconPlayerStop, 'Stopped'],
  paused: ['warn', IconPlayerPause, 'Paused'],
  unknown: ['plain', IconQuestionMark, 'Power not known'],
};

/** What a pod that is active is said to be by its power instead. */
const STATE: Record<string, Look> = {
  requested: ['plain', IconHourglassHigh, 'Requested'],
  provisioning: ['busy', IconLoader2, 'Provisioning'],
  suspended: ['warn', IconLock, 'Suspended'],
  deleting: ['busy', IconTrash, 'Deleting'],
  deleted: ['plain', IconTrashX, 'Deleted'],
  failed: ['bad', IconX, 'Failed'],
};

export function PowerPill({ power, about }: { power: Power; about?: ReactNode }) {
  const [tone, icon, label] = POWER[power];
  return (
    <Pill tone={tone} icon={icon} about={about}>
      {label}
    </Pill>
  );
}

/** Where a pod is in its life; of one that is in use, whether it runs. */
export function PodPill({ state, power, about }: { state: string; power: Power; about?: ReactNode }) {
  if (state === 'active') return <PowerPill power={power} about={about} />;
  const [tone, icon, label] = STATE[state] ?? (['plain', IconCircleDashed, state] satisfies Look);
  return (
    <Pill tone={tone} icon={icon} about={about}>
      {label}
    </Pill>
  );
}
