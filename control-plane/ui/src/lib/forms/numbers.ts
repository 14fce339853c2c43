/** What a field for a number holds: nothing is typed, or not enough of it yet, as a text. */
export type Typed = number | string;

/** For the API: null where nothing was typed. */
export function numberOrNull(typed: Typed): number | null {
  return typed === '' ? null : Number(typed);
}

export function required(typed: Typed): string | null {
  return typed === '' ? 'Is missing' : null;
}
