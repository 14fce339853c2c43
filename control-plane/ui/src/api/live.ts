// One stream of events for the whole console. What they say makes queries be read anew: gathered, at most once a second, and not
// while nobody looks. The browser's own EventSource can name no tenant, so the stream is read by fetch.
import { useSyncExternalStore } from 'react';
import { send } from './client';
import { changedBy, NOUNS, type Noun } from './keys';
import { queries } from './queries';
import { watchTenant } from './scope';

const GATHER_MS = 1000;
/** So long a hidden page keeps its stream: browsers allow few connections, and it goes on where it was. */
const HIDDEN_MS = 60_000;
const RETRY_MAX_MS = 30_000;

type State = 'live' | 'connecting' | 'off';

let state: State = 'off';
let last = '';
let abort: AbortController | undefined;
let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let gathering: ReturnType<typeof setTimeout> | undefined;
let hiding: ReturnType<typeof setTimeout> | undefined;
const changed = new Set<Noun>();
const watchers = new Set<() => void>();

function enter(next: State): void {
  state = next;
  for (const tell of watchers) tell();
}

/** Whether changes arrive by themselves now. */
export function useLive(): State {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    () => state,
  );
}

/** Follows the events until the function that it gives is called. */
export function follow(): () => void {
  const restart = () => {
    last = '';
    connect();
  };
  const unwatch = watchTenant(restart);
  document.addEventListener('visibilitychange', shownOrHidden);
  restart();
  return () => {
    unwatch();
    document.removeEventListener('visibilitychange', shownOrHidden);
    clearTimeout(gathering);
    gathering = undefined;
    changed.clear();
    cut();
  };
}

function shownOrHidden(): void {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(cut, HIDDEN_MS);
    return;
  }
  if (state === 'off') connect();
  if (changed.size > 0) gather();
}

function cut(): void {
  abort?.abort();
  clearTimeout(retry);
  enter('off');
}

function connect(): void {
  cut();
  enter('connecting');
  abort = new AbortController();
  void read(abort.signal);
}

async function read(signal: AbortSignal): Promise<void> {
  let wait = 500;
  try {
    const headers: HeadersInit = last ? { 'Last-Event-ID': last } : {};
    const response = await send(new Request('/api/events', { headers, signal }));
    if (response.status === 401 || response.status === 403) {
      enter('off');
      return;
    }
    if (!response.ok || !response.body) throw new Error(`the stream was refused: ${response.status}`);
    failures = 0;
    enter('live');
    await take(response.body, signal);
  } catch {
    failures += 1;
    wait = Math.min(RETRY_MAX_MS, 1000 * 2 ** failures) * (0.5 + Math.random() / 2);
  }
  if (signal.aborted) return;
  enter('connecting');
  retry = setTimeout(connect, wait);
}

async function take(body: ReadableStream<Uint8Array<ArrayBuffer>>, signal: AbortSignal): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) heard(block);
  }
}

/** One event of the stream: lines of `field: value`. */
function heard(block: string): void {
  let name = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('id:')) last = line.slice(3).trim();
    if (line.startsWith('event:')) name = line.slice(6).trim();
  }
  for (const noun of name === 'reset' ? NOUNS : changedBy(name)) changed.add(noun);
  if (changed.size > 0) gather();
}

function gather(): void {
  if (!document.hidden) gathering ??= setTimeout(flush, GATHER_MS + Math.random() * 300);
}

function flush(): void {
  gathering = undefined;
  if (document.hidden) return;
  for (const noun of changed) {
    // A read that is under way may be of before; cutting it short again and again would never end.
    if (queries.isFetching({ queryKey: [noun] }) > 0) continue;
    changed.delete(noun);
    void queries.invalidateQueries({ queryKey: [noun] });
  }
  if (changed.size > 0) gather();
}
