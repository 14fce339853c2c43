import { type CSSVariablesResolver, createTheme, DEFAULT_THEME } from '@mantine/core';

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export const theme = createTheme({
  fontFamily: SANS,
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  headings: {
    fontFamily: SANS,
    fontWeight: '650',
    sizes: { h1: { fontSize: '1.375rem' }, h2: { fontSize: '1.0625rem' }, h3: { fontSize: '0.9375rem' } },
  },
  colors: {
    brand: [
      '#eef3ff',
      '#dbe4fd',
      '#b5c7fa',
      '#8aa7f7',
      '#6b8df4',
      '#577cf1',
      '#4066e6',
      '#3157d5',
      '#274bbf',
      '#1c3a9e',
    ],
  },
  primaryColor: 'brand',
  // Dark enough for white text on it, in both schemes.
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // Within a text, its colour alone would not tell it.
    Anchor: { defaultProps: { underline: 'always' } },
    Button: { defaultProps: { size: 'sm' } },
    // Its placeholder for the first focus is no child that a menu may have.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    // Within a landmark, as all of a page has to be.
    Portal: { defaultProps: { target: '#overlays' } },
    // Theirs is a <header>, which would be one more banner of the page.
    ModalHeader: { defaultProps: { role: 'presentation' } },
    DrawerHeader: { defaultProps: { role: 'presentation' } },
    Modal: { defaultProps: { centered: true, closeButtonProps: { 'aria-label': 'Close' } } },
    Drawer: { defaultProps: { position: 'right', closeButtonProps: { 'aria-label': 'Close' } } },
    Notification: {
      defaultProps: { closeButtonProps: { 'aria-label': 'Dismiss' } },
      styles: { description: { color: 'var(--mantine-color-dimmed)' } },
    },
    Tooltip: { defaultProps: { events: { hover: true, focus: true, touch: true }, openDelay: 200 } },
  },
});

/** The darkest of these is still too bright for text on their light backgrounds. */
const DARKER: Record<string, string> = {
  cyan: '#0b5a6b',
  green: '#1b6430',
  lime: '#456300',
  orange: '#8a3b00',
  teal: '#08614a',
  yellow: '#7a4a00',
};

/** Mantine's own greys and tinted texts miss the contrast of WCAG AA; these reach it. */
export const cssVariables: CSSVariablesResolver = () => {
  const light: Record<string, string> = {
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': 'var(--mantine-color-gray-6)',
    '--mantine-color-error': 'var(--mantine-color-red-9)',
    '--mantine-color-anchor': 'var(--mantine-color-brand-8)',
  };
  const dark: Record<string, string> = {
    '--mantine-color-dimmed': '#aeb0b6',
    '--mantine-color-placeholder': '#92959c',
    '--mantine-color-error': 'var(--mantine-color-red-4)',
    '--mantine-color-anchor': 'var(--mantine-color-brand-3)',
  };
  for (const color of [...Object.keys(DEFAULT_THEME.colors), 'brand']) {
    const darkest = DARKER[color] ?? `var(--mantine-color-${color}-9)`;
    light[`--mantine-color-${color}-light-color`] = darkest;
    light[`--mantine-color-${color}-text`] = darkest;
    dark[`--mantine-color-${color}-light-color`] = `var(--mantine-color-${color}-2)`;
    dark[`--mantine-color-${color}-text`] = `var(--mantine-color-${color}-3)`;
  }
  return { variables: {}, light, dark };
};
