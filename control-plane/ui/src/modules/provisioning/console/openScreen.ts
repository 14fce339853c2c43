import type RFB from '@novnc/novnc';
import type { components } from '@/api/schema';

export interface Watch {
  opened: (rfb: RFB) => void;
  connected: () => void;
  /** Once, and why, for people. */
  ended: (why: string) => void;
}

/** How the control plane closes a console. */
const NORMAL = 1000;

/**
 * Opens the screen that a ticket is for, in an element. The first message says whether it opened, and the password of its session;
 * what follows is RFB. Gives what closes it.
 */
export async function openScreen(
  ticket: components['schemas']['ConsoleTicket'],
  element: HTMLElement,
  watch: Watch,
): Promise<() => void> {
  // Before the socket: its second message may follow the first at once.
  const { default: Rfb } = await import('@novnc/novnc');
  const url = new URL(ticket.url, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, ticket.protocols);
  socket.binaryType = 'arraybuffer';
  let rfb: RFB | undefined;
  let problem = '';
  let isClosed = false;
  socket.onmessage = ({ data }: MessageEvent<string>) => {
    const first = JSON.parse(data) as { type: string; password?: string; detail?: string };
    if (first.type !== 'opened') {
      problem = first.detail ?? 'the host does not open it';
      return;
    }
    rfb = new Rfb(element, socket, { shared: true, credentials: { password: first.password ?? '' } });
    rfb.scaleViewport = true;
    rfb.background = 'transparent';
    rfb.addEventListener('connect', watch.connected);
    rfb.addEventListener('securityfailure', ({ detail }) => {
      problem = `the host refuses the screen: ${detail.reason ?? detail.status}`;
    });
    watch.opened(rfb);
  };
  // noVNC sets the `on…` handlers for itself.
  socket.addEventListener('close', ({ code, reason }) => {
    isClosed = true;
    watch.ended(problem || whyOf(code, reason, rfb !== undefined));
  });
  return () => {
    if (isClosed) return;
    if (rfb) rfb.disconnect();
    else socket.close(NORMAL);
  };
}

function whyOf(code: number, reason: string, wasOpen: boolean): string {
  if (reason) return reason;
  if (code === NORMAL) return 'closed';
  return wasOpen ? 'the connection to mPanel broke off' : 'mPanel does not let it be opened: its server may be offline';
}
