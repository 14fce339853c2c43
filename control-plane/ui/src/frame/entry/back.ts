// Where somebody was going who has to sign in first.

const PLACE = 'mpanel.back';

/** Where to go on: only to paths of this console, as the browser reads them. */
export function safeBack(back: string | undefined): string {
  if (!back?.startsWith('/') || !URL.canParse(back, location.origin)) return '/';
  const { origin, pathname, search, hash } = new URL(back, location.origin);
  return origin === location.origin && !pathname.startsWith('//') ? pathname + search + hash : '/';
}

/** A provider sends to the overview whoever signs in by it, and back to the sign-in whom it does not know. */
export function keepBack(back: string | undefined): void {
  if (back) sessionStorage.setItem(PLACE, back);
}

/** Where they were going, once. */
export function takeBack(): string | undefined {
  const back = sessionStorage.getItem(PLACE) ?? undefined;
  sessionStorage.removeItem(PLACE);
  return back;
}

/** Goes on to it from where a provider sends. */
export function goBack(): void {
  const back = location.pathname === '/' ? takeBack() : undefined;
  if (back) history.replaceState(null, '', safeBack(back));
}
