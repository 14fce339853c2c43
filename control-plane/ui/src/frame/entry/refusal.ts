import { useState } from 'react';
import { Problem } from '@/api/problem';

const CAUSES: Record<string, string> = {
  unauthorized:
    'you are not signed in: the provider did not vouch for an account that may come in here. Try again, or ask who runs this control plane',
  unavailable: 'the provider does not answer: try again in a moment, or sign in by password',
  too_many_requests: 'too many have tried: wait a moment, then try again',
  not_found: 'there is no such provider any more: choose another way to sign in',
};

const OTHERWISE = 'the sign-in by the provider failed: try again, or sign in by password';

/** Why a sign-in by a provider came to nothing: the control plane sends the browser back here with the cause after `#oidc=`. */
export function useRefusal(): Problem | undefined {
  const [refusal] = useState(() => {
    const code = new URLSearchParams(location.hash.slice(1)).get('oidc');
    if (!code) return;
    history.replaceState(history.state, '', location.pathname + location.search);
    return new Problem({ status: 0, code, detail: CAUSES[code] ?? OTHERWISE });
  });
  return refusal;
}
