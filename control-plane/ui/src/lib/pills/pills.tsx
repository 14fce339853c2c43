import {
  IconArrowBackUp,
  IconBan,
  IconCheck,
  IconCircleDashed,
  IconClock,
  IconHandStop,
  IconLoader2,
  IconLock,
  IconPlugConnected,
  IconPlugConnectedX,
  IconTransferOut,
  IconX,
  type TablerIcon,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { components } from '@/api/schema';
import { Pill, type Tone } from './Pill';

type Schemas = components['schemas'];
type Look = [Tone, TablerIcon, string];

const CONNECTION: Record<Schemas['ConnectionShown'], Look> = {
  pending: ['plain', IconCircleDashed, 'Not enrolled'],
  online: ['good', IconPlugConnected, 'Online'],
  suspect: ['warn', IconPlugConnected, 'Suspect'],
  offline: ['bad', IconPlugConnectedX, 'Offline'],
};

const SCHEDULING: Record<Schemas['SchedulingState'], Look> = {
  online: ['good', IconCheck, 'Open'],
  locked: ['warn', IconLock, 'Locked'],
  draining: ['busy', IconTransferOut, 'Draining'],
};

const JOB: Record<Schemas['JobState'], Look> = {
  queued: ['plain', IconClock, 'Queued'],
  running: ['busy', IconLoader2, 'Running'],
  undoing: ['warn', IconArrowBackUp, 'Undoing'],
  succeeded: ['good', IconCheck, 'Succeeded'],
  failed: ['bad', IconX, 'Failed'],
  cancelled: ['plain', IconBan, 'Cancelled'],
  stuck: ['bad', IconHandStop, 'Stuck'],
};

function pillOf([tone, icon, label]: Look, about: ReactNode) {
  return (
    <Pill tone={tone} icon={icon} about={about}>
      {label}
    </Pill>
  );
}

/** Whether a server's agent is there. */
export function ConnectionPill({ state, about }: { state: Schemas['ConnectionShown']; about?: ReactNode }) {
  return pillOf(CONNECTION[state], about);
}

/** What the operator wants of a server. */
export function SchedulingPill({ state, about }: { state: Schemas['SchedulingState']; about?: ReactNode }) {
  return pillOf(SCHEDULING[state], about);
}

export function JobPill({ state, about }: { state: Schemas['JobState']; about?: ReactNode }) {
  return pillOf(JOB[state], about);
}
