import type { components } from '@/api/schema';
import { number } from '@/lib/show/units';

type Schemas = components['schemas'];

export const METHODS: Record<Schemas['Method'], string> = {
  live: 'While it runs',
  offline: 'While it is stopped',
  remote: 'To another cluster',
};

export const POD_STATES: Record<Schemas['PodState'], string> = {
  planned: 'Waits',
  moving: 'Moves',
  moved: 'Moved',
  gone: 'Deleted meanwhile',
  blocked: 'Cannot be moved',
  left: 'Left where it is',
};

/** `3 moved, 1 moves, 2 wait`. */
export function countsOf({ planned, moving, moved, gone, blocked, left }: Schemas['DrainCounts']): string {
  const parts: [number, string][] = [
    [moved, 'moved'],
    [moving, 'moving now'],
    [planned, 'waiting'],
    [blocked, 'cannot be moved'],
    [gone, 'deleted meanwhile'],
    [left, 'left where they are'],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${number(count)} ${word}`)
    .join(', ');
}
