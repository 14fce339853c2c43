// One stream of events for the whole console; `reread.ts` does what they say. The browser's own EventSource can name no tenant, so
// the stream is read by fetch.
import { useSyncExternalStore } from 'react';
import { send } from './client';
import { forgetOld, gather, happened, missed } from './reread';
import type { components } from './schema';
import { watchTenant } from './scope';

/** So long a hidden page keeps its stream: browsers allow few connections, and it goes on where it was. */
const HIDDEN_MS = 60_000;
const RETRY_MAX_MS = 30_000;
/** The server says every ten seconds that it is there: a connection that is silent for so long is dead, after a sleep for example. */
const SILENCE_MAX_MS = 30_000;

type State = 'live' | 'connecting' | 'off';

let state: State = 'off';
let last = '';
let abort: AbortController | undefined;
let failures = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let hiding: ReturnType<typeof setTimeout> | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;
let heardAt = 0;
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
    forgetOld();
    connect();
  };
  const unwatch = watchTenant(restart);
  document.addEventListener('visibilitychange', shownOrHidden);
  window.addEventListener('online', awake);
  restart();
  return () => {
    unwatch();
    document.removeEventListener('visibilitychange', shownOrHidden);
    window.removeEventListener('online', awake);
    clearTimeout(hiding);
    forgetOld();
    cut();
  };
}

function shownOrHidden(): void {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(cut, HIDDEN_MS);
    return;
  }
  awake();
  gather();
}

/** A timer may have slept with the machine, and a network that is another one carries no old connection. */
function awake(): void {
  if (state !== 'live' || Date.now() - heardAt > SILENCE_MAX_MS) connect();
}

function alive(): void {
  heardAt = Date.now();
  clearTimeout(silence);
  silence = setTimeout(connect, SILENCE_MAX_MS);
}

function cut(): void {
  abort?.abort();
  clearTimeout(retry);
  clearTimeout(silence);
  enter('off');
}

function connect(): void {
  cut();
  enter('connecting');
  alive();
  abort = new AbortController();
  void read(abort.signal);
}

async function read(signal: AbortSignal): Promise<void> {
  let wait = 500;
  try {
    const headers: HeadersInit = last ? { 'Last-Event-ID': last } : {};
    const response = await send(new Request('/api/events', { headers, signal }));
    if (response.status === 401 || response.status === 403) {
      if (!signal.aborted) cut();
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
  clearTimeout(silence);
  enter('connecting');
  retry = setTimeout(connect, wait);
}

async function take(body: ReadableStream<Uint8Array<ArrayBuffer>>, signal: AbortSignal): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done || signal.aborted) return;
    alive();
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) heard(block);
  }
}

/** One event of the stream: lines of `field: value`. */
function heard(block: string): void {
  const isFirst = last === '';
  let name = '';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('id:')) last = line.slice(3).trim();
    if (line.startsWith('event:')) name = line.slice(6).trim();
    if (line.startsWith('data:')) data += line.slice(5);
  }
  if (name === 'ready' || name === 'reset') {
    // What was read before a stream began at its end may have changed before it began.
    if (isFirst || name === 'reset') missed();
  } else if (name) happened(name, idsOf(JSON.parse(data) as components['schemas']['Event']));
}

/** What an event is about: the id of its noun, and whatever else it names, such as the pod of a job. */
function idsOf({ subject, data }: components['schemas']['Event']): string[] {
  const named: unknown[] = Object.values(data ?? {}).flat();
  return [subject, ...named.filter((one) => typeof one === 'string')];
}
