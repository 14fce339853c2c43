// Typed search parameters: what is in the URL but not as it has to be is left out.
type Reader<T> = (value: string) => T | undefined;
type Values<S> = { [K in keyof S]?: S[K] extends Reader<infer T> ? T : never };

export const text: Reader<string> = (value) => value || undefined;

export const count: Reader<number> = (value) => (/^\d{1,9}$/.test(value) ? Number(value) : undefined);

/** Milliseconds of the epoch. */
export const moment: Reader<number> = (value) => (/^\d{12,14}$/.test(value) ? Number(value) : undefined);

/** A switch that is on, or not in the URL. */
export const flag: Reader<true> = (value) => (value === 'true' ? true : undefined);

export function oneOf<const T extends string>(values: readonly T[]): Reader<T> {
  return (value) => values.find((one) => one === value);
}

/** For a route's `validateSearch`: `searchOf({ state: oneOf(STATES), name_prefix: text })`. */
export function searchOf<S extends Record<string, Reader<unknown>>>(schema: S) {
  return (raw: Record<string, unknown>): Values<S> => {
    const values: Record<string, unknown> = {};
    for (const [name, read] of Object.entries(schema)) {
      const given = raw[name];
      const value = given === undefined || given === null ? undefined : read(String(given));
      if (value !== undefined) values[name] = value;
    }
    return values as Values<S>;
  };
}

export const AGES = ['created_at', '-created_at'] as const;
export const AGES_OR_NAMES = [...AGES, 'name', '-name'] as const;

/** What every list has in its URL. */
export const listSearch = { limit: count, page_token: text };

export function parseSearch(query: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(query));
}

export function stringifySearch(values: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, String(value));
  }
  const written = query.toString();
  return written ? `?${written}` : '';
}
