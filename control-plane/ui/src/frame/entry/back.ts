// Where somebody was going who has to sign in first.

const PLACE = 'mpanel.back';

/** Where to go on: only to paths of this console. */
export function safeBack(back: string | undefined): string {
  return back?.startsWith('/') && !back.startsWith('//') && !back.startsWith('/\\') ? back : '/';
}

/** A provider sends to the overview whoever signs in by it. */
export function keepBack(back: string | undefined): void {
  sessionStorage.setItem(PLACE, safeBack(back));
}

/** Goes on from there to where they were going, once. */
export function goBack(): void {
  if (location.pathname !== '/') return;
  const back = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  if (back) history.replaceState(null, '', safeBack(back));
}
