import { IconClockExclamation } from '@tabler/icons-react';
import { Pill } from '../pills/Pill';
import { Time } from './Time';

/** Says that what is shown is of before its source went away. */
export function Stale({ since }: { since: string | null | undefined }) {
  return (
    <Pill tone="warn" icon={IconClockExclamation} about="Its server is not heard: this is how it was then">
      Stale since{'\u00a0'}
      {since ? <Time at={since} /> : 'ever'}
    </Pill>
  );
}
