// Whose data is looked at: one tenant's, or (for staff) the platform's. The URL's `tenant` decides; the root route sets it here before
// anything is read.
import { useSyncExternalStore } from 'react';

let tenant: string | undefined;
const watchers = new Set<() => void>();

export function currentTenant(): string | undefined {
  return tenant;
}

/** Whether it is another one now. */
export function setTenant(next: string | undefined): boolean {
  if (next === tenant) return false;
  tenant = next;
  for (const tell of watchers) tell();
  return true;
}

export function watchTenant(tell: () => void): () => void {
  watchers.add(tell);
  return () => watchers.delete(tell);
}

/** The tenant that was chosen; undefined: staff see the platform, others their only tenant. */
export function useTenant(): string | undefined {
  return useSyncExternalStore(watchTenant, currentTenant);
}

/** For routes below /api/admin, where a query parameter and not the header names the tenant. */
export function inTenant(): { tenant_id?: string } {
  return tenant ? { tenant_id: tenant } : {};
}
