import { useState } from 'react';

/**
 * The secret after the `#` of a mailed link. It is taken out of the address line, and kept in this tab while somebody signs in on
 * the way.
 */
export function useSecret(page: string): { secret: string; forget: () => void } {
  const kept = `mpanel.${page}`;
  const [secret] = useState(() => {
    const fromLink = location.hash.slice(1);
    if (!fromLink) return sessionStorage.getItem(kept) ?? '';
    sessionStorage.setItem(kept, fromLink);
    history.replaceState(history.state, '', location.pathname);
    return fromLink;
  });
  return { secret, forget: () => sessionStorage.removeItem(kept) };
}
