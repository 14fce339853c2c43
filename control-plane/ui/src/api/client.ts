// The typed client of the REST API. Each request names the tenant; one that changes something carries the CSRF token and an
// idempotency key, so that it can be sent again when the answer was lost: by itself, and by who presses again.
import createClient from 'openapi-fetch';
import { Problem } from './problem';
import type { paths } from './schema';
import { currentTenant } from './scope';
import { csrfToken, refresh, signedOut } from './session';

const RESEND_AFTER_MS = [400, 1500];
/** Of a proxy that has lost the answer, or of a server that may have done it all the same. */
const NO_ANSWER = [502, 503, 504];
/** Who presses again within so long means the same change. */
const SAME_MS = 120_000;

export const api = createClient<paths>({ baseUrl: '', fetch: send });

/** The data of an answer; throws its `Problem` otherwise. */
export async function unwrap<A extends { data?: unknown; error?: unknown; response: Response }>(
  asked: Promise<A>,
): Promise<Exclude<A['data'], undefined>> {
  const { data, error, response } = await asked;
  if (!response.ok) throw Problem.of(response, error);
  return data as Exclude<A['data'], undefined>;
}

/** For PATCH: refuse (412) if it is no longer at the version that was read. */
export function ifMatch(version: number): { 'If-Match': string } {
  return { 'If-Match': `"${version}"` };
}

/** The version of an answer whose body does not hold it. */
export function versionOf(response: Response): number {
  return Number(response.headers.get('ETag')?.replaceAll('"', ''));
}

/** 32 random hex digits; `randomUUID` is missing where the console is served without TLS. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Sends a request as the one who is signed in, with one silent refresh of the sign-in where that is needed. */
export async function send(request: Request): Promise<Response> {
  const tenant = currentTenant();
  if (tenant && !request.headers.has('X-Tenant-Id')) request.headers.set('X-Tenant-Id', tenant);
  // A preview changes nothing: its body is what makes it a POST.
  const isChange = request.method !== 'GET' && !new URL(request.url).pathname.endsWith('preview');
  return isChange ? sendChange(request) : sendSignedIn(request, isChange);
}

/** Keys of changes that got no answer, by what was asked. */
const unanswered = new Map<string, string>();

/** A change that may have been made, and is asked for again, has the key of the first time: it is made once. */
async function sendChange(request: Request): Promise<Response> {
  const { method, url, headers } = request;
  const body = await request.clone().text();
  const asked = [method, url, headers.get('X-Tenant-Id'), headers.get('If-Match'), body].join('\n');
  const key = unanswered.get(asked) ?? randomKey();
  headers.set('Idempotency-Key', key);
  const forget = () => unanswered.delete(asked);
  const keep = () => {
    if (!unanswered.has(asked)) setTimeout(forget, SAME_MS);
    unanswered.set(asked, key);
  };
  try {
    const response = await sendSignedIn(request, true);
    if (NO_ANSWER.includes(response.status)) keep();
    else forget();
    return response;
  } catch (cause) {
    keep();
    throw cause;
  }
}

async function sendSignedIn(request: Request, isChange: boolean): Promise<Response> {
  const bySession = !request.headers.has('Authorization') && !isPublic(new URL(request.url).pathname);
  const response = await sendAgain(request, isChange);
  if (response.status !== 401 || !bySession) return response;
  if (await refresh()) return sendAgain(request, isChange);
  signedOut();
  return response;
}

/** Where a 401 speaks of what was typed, and not of the sign-in. */
function isPublic(path: string): boolean {
  return path === '/api/auth/login' || path.startsWith('/api/auth/password/') || path === '/api/users/invite/accept';
}

/** A change whose answer was lost, or whose first try is still under way, is sent again with its key. */
async function sendAgain(request: Request, isChange: boolean): Promise<Response> {
  for (const wait of isChange ? RESEND_AFTER_MS : []) {
    try {
      const response = await sendOnce(request);
      if (response.status !== 409 || !(await isRunning(response))) return response;
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return sendOnce(request);
}

async function sendOnce(request: Request): Promise<Response> {
  const copy = request.clone();
  const csrf = csrfToken();
  if (csrf && copy.method !== 'GET') copy.headers.set('X-CSRF-Token', csrf);
  try {
    return await fetch(copy);
  } catch (cause) {
    if (request.signal.aborted) throw cause;
    throw Problem.unreachable();
  }
}

async function isRunning(response: Response): Promise<boolean> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  return typeof body === 'object' && body !== null && 'code' in body && body.code === 'idempotency_running';
}
