import type { MouseEvent } from 'react';

const PRESSABLE = 'a, button, input, label, select, textarea, [role="menuitem"], [role="dialog"]';

/** A click anywhere in a row is one on its name, unless it was on something else that can be pressed, or marked text. */
export function openRow(event: MouseEvent<HTMLElement>): void {
  const target = event.target instanceof Element ? event.target : null;
  // What stands in a portal, such as a menu, bubbles here too.
  if (!target || !event.currentTarget.contains(target) || target.closest(PRESSABLE)) return;
  if (getSelection()?.toString()) return;
  const name = event.currentTarget.querySelector('[data-row-link]');
  const { ctrlKey, metaKey, shiftKey } = event;
  name?.dispatchEvent(
    new globalThis.MouseEvent('click', { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }),
  );
}
