/** What was measured at one time, by the name of its series; null: nothing. */
export interface Point {
  at: string;
  values: Record<string, number | null>;
}

export interface Series {
  /** In the points' `values`. */
  name: string;
  label: string;
  /** Of the theme, such as `brand.6`. */
  color: string;
}

/** So many times the usual distance without a sample is a gap: the line is not drawn through it. */
const GAP = 4;

/** The points as they are drawn: time in milliseconds, and an empty point in each gap. */
export function drawn(points: Point[]): Record<string, number | null>[] {
  const times = points.map(({ at }) => Date.parse(at));
  const distances = times.slice(1).map((time, index) => time - (times[index] ?? time));
  const usual = distances.toSorted((a, b) => a - b)[Math.floor(distances.length / 2)] ?? 0;
  return points.flatMap(({ values }, index) => {
    const at = times[index] ?? 0;
    const before = times[index - 1];
    const point = { ...values, at };
    return before !== undefined && at - before > GAP * usual ? [{ at: before + usual }, point] : [point];
  });
}

/** What the plot shows, in words. */
export function summary(
  points: Point[],
  series: Series[],
  show: (value: number) => string,
  when: (at: string) => string,
): string {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return '';
  const parts = series.map(({ name, label }) => {
    const values = points.map((point) => point.values[name]).filter((value) => value != null);
    const newest = values.at(-1);
    if (newest === undefined) return `${label}: nothing measured`;
    const [min, max] = [Math.min(...values), Math.max(...values)];
    return `${label}: lowest ${show(min)}, highest ${show(max)}, last ${show(newest)}`;
  });
  return `From ${when(first.at)} to ${when(last.at)}. ${parts.join('. ')}.`;
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const TWO_DAYS_MS = 172_800_000;

/** How times are written along the axis: within two days by the hour, else by the day. */
export function tickOf(points: Point[]): (at: number) => string {
  const [first, last] = [points[0], points.at(-1)];
  const span = first && last ? Date.parse(last.at) - Date.parse(first.at) : 0;
  return (at) => (span > TWO_DAYS_MS ? DAY : TIME).format(at);
}
