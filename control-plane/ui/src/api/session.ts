// The browser's sign-in: HttpOnly cookies that the server sets, and a CSRF token that only our own pages can read.
import { Problem } from './problem';

/** What the header X-CSRF-Token has to say; undefined: nobody is signed in. */
export function csrfToken(): string | undefined {
  for (const pair of document.cookie.split('; ')) {
    const [name, value] = pair.split('=', 2);
    if (name === 'mpanel_csrf' || name === '__Host-mpanel_csrf') return value;
  }
  return undefined;
}

let underWay: Promise<boolean> | undefined;

/**
 * Gets the next access token. However many ask at once, it is one request; false: they have to sign in. Throws the `Problem` where
 * it cannot be told, which is no reason to send somebody away who has typed half a form.
 */
export function refresh(): Promise<boolean> {
  underWay ??= exchange().finally(() => {
    underWay = undefined;
  });
  return underWay;
}

async function exchange(): Promise<boolean> {
  const csrf = csrfToken();
  if (!csrf) return false;
  const headers = { 'X-CSRF-Token': csrf };
  const response = await fetch('/api/auth/refresh', { method: 'POST', headers }).catch(() => {
    throw Problem.unreachable();
  });
  if (response.status === 409) {
    // Another tab has refreshed at the same moment, and its answer sets the cookies of this one too.
    await new Promise((resolve) => setTimeout(resolve, 300));
    return true;
  }
  if (response.ok) return true;
  if (response.status === 401 || response.status === 403) return false;
  throw Problem.of(response, await response.json().catch(() => undefined));
}

let tellSignedOut: (() => void) | undefined;

/** What to do when a request finds that nobody is signed in any more. */
export function onSignedOut(tell: () => void): void {
  tellSignedOut = tell;
}

export function signedOut(): void {
  tellSignedOut?.();
}
