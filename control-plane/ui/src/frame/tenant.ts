// Which tenant somebody who belongs to several looked at last, for the next visit.
const KEY = 'mpanel.tenant';

export function tenantLast(): string | null {
  return localStorage.getItem(KEY);
}

export function tenantKept(tenant: string | undefined): void {
  if (tenant) localStorage.setItem(KEY, tenant);
}
