// What has to be known before anything is drawn.
import { localStorageColorSchemeManager } from '@mantine/core';

export const schemeManager = localStorageColorSchemeManager({ key: 'mpanel.scheme' });

/** Sets light or dark before the first paint; the policy allows no inline script that could do it. */
export function showScheme(): void {
  const chosen = schemeManager.get('auto');
  const dark = chosen === 'auto' ? matchMedia('(prefers-color-scheme: dark)').matches : chosen === 'dark';
  document.documentElement.dataset.mantineColorScheme = dark ? 'dark' : 'light';
}

/** With which the policy of this very answer allows <style> elements. */
export function nonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
}
