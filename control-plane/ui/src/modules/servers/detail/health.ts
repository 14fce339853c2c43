import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components } from '@/api/schema';

type Sample = components['schemas']['HealthSample'];

const HOUR_MS = 3_600_000;
/** The most that one answer holds. */
const SAMPLES_MAX = 3000;
const SAMPLE_MS = 30_000;
/** More is not to be told apart on a screen. */
const DRAWN_MAX = 360;

export const RANGES = {
  '1h': HOUR_MS,
  '6h': 6 * HOUR_MS,
  day: 24 * HOUR_MS,
  week: 168 * HOUR_MS,
  month: 720 * HOUR_MS,
} as const;
export type Range = keyof typeof RANGES;
/** Of more than a day the server gives means of so many seconds: the samples of it are more than one answer holds. */
const STEPS_S: Partial<Record<Range, number>> = { week: 3600, month: 10_800 };

/** Samples of a server's health, oldest first. They are no events: read again now and then, unless they are of a time that is over. */
export function healthQuery(id: string, range: Range, until: number | undefined) {
  return queryOptions({
    queryKey: key('server', 'health', id, range, until ?? 'now'),
    queryFn: ({ signal }) => {
      const end = until ?? Date.now();
      const query = {
        since: iso(end - RANGES[range]),
        until: until === undefined ? undefined : iso(until),
        ...(STEPS_S[range] ? { step: STEPS_S[range] } : { limit: SAMPLES_MAX }),
      };
      return unwrap(
        api.GET('/api/platform/servers/{id}/health', {
          params: { path: { id }, query },
          signal,
        }),
      );
    },
    refetchInterval: until !== undefined ? false : range === '1h' ? SAMPLE_MS : 10 * SAMPLE_MS,
    staleTime: SAMPLE_MS,
  });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** As many as can be told apart: the mean of those that are near each other. */
export function thinned(samples: Sample[]): Sample[] {
  const size = Math.ceil(samples.length / DRAWN_MAX);
  if (size <= 1) return samples;
  const groups: Sample[][] = [];
  for (let at = 0; at < samples.length; at += size) groups.push(samples.slice(at, at + size));
  return groups.flatMap((group) => {
    const last = group.at(-1);
    const mean = (of: (sample: Sample) => number) => group.reduce((all, one) => all + of(one), 0) / group.length;
    return last
      ? [
          {
            ...last,
            samples: group.length,
            cpu_load: mean((one) => one.cpu_load),
            memory_used_mib: mean((one) => one.memory_used_mib),
            storage_used_gib: mean((one) => one.storage_used_gib),
          },
        ]
      : [];
  });
}
