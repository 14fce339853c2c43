// What events make old, and when it is read anew: gathered, at most once a second, and not while nobody looks. A busy fleet has
// events all the time: what is shown of one thing follows those of that thing, and lists are read anew at most every few seconds.
import type { Query } from '@tanstack/react-query';
import { changedBy, type Noun } from './keys';
import { queries } from './queries';

const GATHER_MS = 1000;
const LISTS_MS = 5000;
/** What no event tells: of the configuration, read by the clock, or as one types. */
const UNTOLD: unknown[] = ['health', 'iso-storages', 'placement', 'placement-preview', 'report', 'traffic'];

const waiting = new Set<Query>();
let gathering: ReturnType<typeof setTimeout> | undefined;

/** Something happened to what has these ids. */
export function happened(name: string, ids: string[]): void {
  const nouns = changedBy(name);
  age((query) => shows(query, nouns, ids));
}

/** Anything may have happened. */
export function missed(): void {
  age(() => true);
}

export function forgetOld(): void {
  clearTimeout(gathering);
  gathering = undefined;
  waiting.clear();
}

/** Reads anew what became old; also what did so while nobody looked. */
export function gather(): void {
  if (waiting.size > 0 && !document.hidden) gathering ??= setTimeout(flush, GATHER_MS + Math.random() * 300);
}

function age(isOld: (query: Query) => boolean): void {
  for (const query of queries.getQueryCache().getAll()) {
    if (!UNTOLD.includes(query.queryKey[2]) && isOld(query)) waiting.add(query);
  }
  gather();
}

/** `key('server', 'one', id)` names one thing, by its id or its name; other keys are of many. */
function oneOf({ queryKey: [, , , of] }: Query): string | undefined {
  return typeof of === 'string' ? of : undefined;
}

function shows(query: Query, nouns: Noun[], ids: string[]): boolean {
  if (!nouns.some((noun) => noun === query.queryKey[0])) return false;
  const of = oneOf(query);
  if (of === undefined || ids.includes(of)) return true;
  const { id, server } = (query.state.data ?? {}) as { id?: string; server?: { id: string } | null };
  const isOnIt = nouns.includes('server') && ids.some((one) => one === server?.id);
  return isOnIt || ids.some((one) => one === id);
}

function flush(): void {
  gathering = undefined;
  if (document.hidden) return;
  for (const query of waiting) {
    if (isTooSoon(query)) continue;
    waiting.delete(query);
    void queries.invalidateQueries({ queryKey: query.queryKey, exact: true });
  }
  gather();
}

function isTooSoon(query: Query): boolean {
  const { fetchStatus, dataUpdatedAt, errorUpdatedAt } = query.state;
  // A read that is under way may be of before; cutting it short again and again would never end.
  if (fetchStatus !== 'idle') return true;
  const isList = oneOf(query) === undefined && query.isActive();
  return isList && Date.now() - Math.max(dataUpdatedAt, errorUpdatedAt) < LISTS_MS;
}
