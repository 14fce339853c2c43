import { Text, Tooltip } from '@mantine/core';
import { createContext, useContext, useSyncExternalStore } from 'react';

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'long' });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];
const TICK_MS = 15_000;

/** One clock for all times on the page. */
let now = Date.now();
let clock: ReturnType<typeof setInterval> | undefined;
const watchers = new Set<() => void>();

function watch(tell: () => void): () => void {
  watchers.add(tell);
  // Nobody has wound it while no time was shown.
  if (clock === undefined) now = Date.now();
  clock ??= setInterval(() => {
    now = Date.now();
    for (const one of watchers) one();
  }, TICK_MS);
  return () => {
    watchers.delete(tell);
    if (watchers.size > 0) return;
    clearInterval(clock);
    clock = undefined;
  };
}

export function exact(at: string): string {
  return EXACT.format(new Date(at));
}

export function relative(at: string, from: number): string {
  const seconds = (Date.parse(at) - from) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.round(seconds / length), unit);
  }
  return Math.abs(seconds) < 20 ? 'just now' : RELATIVE.format(Math.round(seconds), 'second');
}

/** Whether there is room for the exact times: a tooltip is not for who has no pointer. */
export const Exactly = createContext(false);

/** A time as people say it; exactly when one points at it, or beside it in the facts of one thing. */
export function Time({ at }: { at: string }) {
  const from = useSyncExternalStore(watch, () => now);
  const isExact = useContext(Exactly);
  const said = relative(at, Math.max(from, now));
  if (isExact) {
    return (
      <time dateTime={at}>
        {said}
        <Text span display="block" size="xs" c="dimmed" style={{ whiteSpace: 'normal' }}>
          {exact(at)}
        </Text>
      </time>
    );
  }
  return (
    <Tooltip label={exact(at)}>
      <time dateTime={at}>{said}</time>
    </Tooltip>
  );
}
