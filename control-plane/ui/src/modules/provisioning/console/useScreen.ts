import type RFB from '@novnc/novnc';
import { type RefObject, useCallback, useEffect, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { problemOf } from '@/api/problem';
import { podParams } from '../pods';
import { openScreen } from './openScreen';

export type ScreenState =
  | { now: 'opening' }
  | { now: 'open'; rfb: RFB }
  | { now: 'ended'; why: string; isProblem: boolean };

/** Opens a pod's screen in a place of the page, and closes it with the page. */
export function useScreen(id: string, place: RefObject<HTMLElement | null>) {
  const [state, setState] = useState<ScreenState>({ now: 'opening' });
  const [round, setRound] = useState(0);
  const open = useCallback(() => setRound((before) => before + 1), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each round opens it anew
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    let isLeft = false;
    let close: (() => void) | undefined;
    let rfb: RFB | undefined;
    const end = (why: string, isProblem: boolean) => {
      if (!isLeft) setState({ now: 'ended', why: sentence(why), isProblem });
    };
    const begin = async () => {
      setState({ now: 'opening' });
      const params = podParams(id);
      const ticket = await unwrap(
        api.POST('/api/admin/hosting/cloudpods/{id}/console', { params, body: { kind: 'vnc' } }),
      );
      if (isLeft) return;
      const shut = await openScreen(ticket, element, {
        opened: (made) => {
          rfb = made;
        },
        connected: () => {
          if (isLeft || !rfb) return;
          setState({ now: 'open', rfb });
          rfb.focus();
        },
        ended: (why) => end(why, rfb === undefined),
      });
      if (isLeft) shut();
      else close = shut;
    };
    // A page that is shown and left at once, as React does to find mistakes, asks for no ticket.
    const timer = setTimeout(() => begin().catch((cause: unknown) => end(problemOf(cause).message, true)), 0);
    return () => {
      isLeft = true;
      clearTimeout(timer);
      close?.();
    };
  }, [id, round, place]);
  return { state, open };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, '.');
}
