// Money is minor units and a currency, in whole numbers throughout: no amount passes through a fraction of a number.
import type { components } from '@/api/schema';

const LANGUAGE = 'en';

/** How many digits a currency has below its unit: 2 for EUR, 0 for JPY, 3 for KWD. */
export function digitsOf(currency: string): number {
  return formatOf(currency)?.resolvedOptions().maximumFractionDigits ?? 2;
}

export function money({ amount_minor, currency }: components['schemas']['Money']): string {
  const format = formatOf(currency);
  // What is no currency's code cannot be formatted as one.
  if (!format) return `${decimal(amount_minor, currency)} ${currency}`;
  return format.format(decimal(amount_minor, currency));
}

/** `4.99` of 499 minor units. */
export function decimal(minor: number, currency: string): `${number}` {
  const digits = digitsOf(currency);
  const text = String(minor).padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  return (digits === 0 ? whole : `${whole}.${text.slice(-digits)}`) as `${number}`;
}

/** The minor units of what was typed; null: it is no amount in this currency. */
export function minorOf(typed: string, currency: string): number | null {
  const digits = digitsOf(currency);
  const [, whole, fraction = ''] = /^(\d{1,12})(?:[.,](\d+))?$/.exec(typed.trim()) ?? [];
  if (whole === undefined || fraction.length > digits) return null;
  return Number(whole + fraction.padEnd(digits, '0'));
}

function formatOf(currency: string): Intl.NumberFormat | undefined {
  return /^[A-Z]{3}$/.test(currency) ? new Intl.NumberFormat(LANGUAGE, { style: 'currency', currency }) : undefined;
}
