import { useMe, useScope } from '@/api/me';
import type { Role } from './users';

interface About {
  label: string;
  about: string;
}

export const ROLES: Record<Role, About> = {
  MEMBER: { label: 'Member', about: 'Makes and uses CloudPods' },
  BILLING: { label: 'Billing', about: 'Sees who is there and what it costs, and changes nothing' },
  ADMIN: { label: 'Admin', about: 'Runs the tenant: CloudPods, people, webhooks; no owners' },
  OWNER: { label: 'Owner', about: 'May do all, and decides who else is an owner' },
};

/** The lowest first: nobody gives away more than they are. */
export const RANKS: Role[] = ['MEMBER', 'BILLING', 'ADMIN', 'OWNER'];

export const ROLE_OPTIONS = [...RANKS].reverse().map((value) => ({ value, label: ROLES[value].label }));

/** The roles that the one who is signed in may give here, and may take from others. */
export function useGivable(): Role[] {
  const { staff, memberships } = useMe();
  const { tenant } = useScope();
  if (staff) return RANKS;
  const own = memberships.find((one) => one.tenant_id === tenant)?.role;
  if (own !== 'OWNER' && own !== 'ADMIN') return [];
  return RANKS.slice(0, RANKS.indexOf(own) + 1);
}
