import type { Point } from '@/lib/charts/points';
import type { Job } from '@/lib/jobs/watched';

const MINUTE_MS = 60_000;
/** Widths of a bar, in minutes. */
const WIDTHS = [1, 5, 15, 60, 240, 1440];
const BARS_MAX = 40;

export interface Ended {
  points: Point[];
  /** Of a bar, in minutes. */
  width: number;
}

/** How many of the jobs ended well and badly, by the time of it. Begins with the oldest job: of before nothing is known. */
export function endedOf(jobs: Job[], now: number): Ended {
  const oldest = Math.min(now, ...jobs.map(({ created_at }) => Date.parse(created_at)));
  const width = WIDTHS.find((one) => (now - oldest) / (one * MINUTE_MS) <= BARS_MAX) ?? 1440;
  const step = width * MINUTE_MS;
  const first = Math.floor(Math.max(oldest, now - BARS_MAX * step) / step);
  const last = Math.floor(now / step);
  const points = Array.from({ length: last - first + 1 }, (_, index) => ({
    at: new Date((first + index) * step).toISOString(),
    values: { succeeded: 0, failed: 0 },
  }));
  for (const { state, finished_at } of jobs) {
    const point = finished_at ? points[Math.floor(Date.parse(finished_at) / step) - first] : undefined;
    if (!point) continue;
    if (state === 'succeeded') point.values.succeeded += 1;
    if (state === 'failed') point.values.failed += 1;
  }
  return { points, width };
}

export function perWhat(width: number): string {
  if (width === 1) return 'per minute';
  if (width < 60) return `per ${width} minutes`;
  return width === 60 ? 'per hour' : width < 1440 ? `per ${width / 60} hours` : 'per day';
}
