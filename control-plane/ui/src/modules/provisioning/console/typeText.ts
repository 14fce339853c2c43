import type RFB from '@novnc/novnc';

const SHIFT = 0xffe1;
const RETURN = 0xff0d;
const TAB = 0xff09;
/** What a US keyboard has on the upper half of its keys: the guest sees keys, and shifts them by itself only if told to. */
const UPPER = /[A-Z~!@#$%^&*()_+{}|:"<>?]/;
/** A guest that is sent keys faster than it reads them loses some. */
const PAUSE_MS = 12;

/** Types a text into the guest, key by key: a guest without an agent has no clipboard. */
export async function typeText(rfb: RFB, text: string): Promise<void> {
  for (const letter of text.replaceAll('\r\n', '\n')) {
    const isUpper = UPPER.test(letter);
    if (isUpper) rfb.sendKey(SHIFT, 'ShiftLeft', true);
    rfb.sendKey(keysymOf(letter), null);
    if (isUpper) rfb.sendKey(SHIFT, 'ShiftLeft', false);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** X11's number of a letter: Latin-1 as it is, others as Unicode. */
export function keysymOf(letter: string): number {
  if (letter === '\n') return RETURN;
  if (letter === '\t') return TAB;
  const point = letter.codePointAt(0) ?? 0;
  return point < 0x100 ? point : 0x0100_0000 + point;
}
