// Sizes, with their unit: powers of 1024, as Proxmox counts.
const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

export function number(value: number): string {
  return WHOLE.format(value);
}

export function mib(value: number): string {
  return value < 1024 ? `${WHOLE.format(value)} MiB` : gib(value / 1024);
}

export function gib(value: number): string {
  return value < 1024 ? `${FINE.format(value)} GiB` : `${FINE.format(value / 1024)} TiB`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${WHOLE.format(value)} B`;
  if (value < 1024 ** 2) return `${FINE.format(value / 1024)} KiB`;
  return mib(value / 1024 ** 2);
}

/** 0 to 1, as percents. */
export function percent(share: number): string {
  return `${WHOLE.format(share * 100)} %`;
}
