/** What is wrong where an invariant does not hold, by its name. */
const TITLES: Record<string, string> = {
  totals: 'Totals do not add up',
  capacity: 'Capacity is held wrongly',
  addresses: 'Addresses are held wrongly',
  jobs_overdue: 'Nobody works on jobs that are due',
  jobs_stuck: 'Jobs are stuck',
  orphans: 'VMs are nobody’s',
  stamps: 'VMs are where they should not be',
  drift: 'VMs are not as they are wanted',
  firewalls: 'Firewalls are not as they are wanted',
  datacenter_firewalls: 'Firewalls have no effect',
  drains: 'Drains cannot go on',
  certificates: 'Agents do not renew their certificates',
  audit: 'The audit is not sealed',
};

/** One that this console does not know yet goes by its name. */
export function titleOf(name: string): string {
  return TITLES[name] ?? name.replaceAll('_', ' ');
}
