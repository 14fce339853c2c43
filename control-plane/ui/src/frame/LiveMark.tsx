import { Alert, Tooltip, VisuallyHidden } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useLive } from '@/api/live';
import classes from './LiveMark.module.css';

const WORDS = {
  live: 'Live: changes appear by themselves',
  connecting: 'Connecting: what is shown may be old',
  off: 'Not live: what is shown may be old',
};

/** Whether changes arrive by themselves. A short break is not worth a word. */
export function LiveMark() {
  const now = useLive();
  const [settled] = useDebouncedValue(now, 3000);
  const state = now === 'live' ? 'live' : settled;
  return (
    <Tooltip label={WORDS[state]}>
      <span className={classes.mark} data-state={state} role="status">
        <VisuallyHidden>{WORDS[state]}</VisuallyHidden>
      </span>
    </Tooltip>
  );
}

const OUTAGE_MS = 8000;

/** Says in words that mPanel is not reached, once that is no short break. */
export function OutageAlert() {
  const state = useLive();
  const [settled] = useDebouncedValue(state, OUTAGE_MS);
  if (state !== 'connecting' || settled !== 'connecting') return null;
  return (
    <Alert color="yellow" role="status" mb="md" title="mPanel does not answer">
      What is shown may be old. It goes on by itself as soon as mPanel is reached again.
    </Alert>
  );
}
