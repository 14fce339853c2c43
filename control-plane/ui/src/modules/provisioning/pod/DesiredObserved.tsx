import { Table } from '@mantine/core';
import { IconCheck, IconClock, IconEqualNot, IconQuestionMark, IconShieldOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useCan } from '@/api/me';
import { isOver } from '@/lib/jobs/job';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { SmallTable } from '@/lib/show/SmallTable';
import { Time } from '@/lib/show/Time';
import { gib, mib } from '@/lib/show/units';
import { type Drift, driftsQuery, said } from '../../servers/drift/drift';
import { jobsQuery } from '../jobs/jobs';
import { type CloudPod, type Firewall, firewallQuery } from '../pods';
import { DriftSection } from './DriftSection';

interface Row {
  title: string;
  desired: ReactNode;
  observed: ReactNode;
  /** `off`: it is not, and nothing is under way that would change it. */
  verdict: 'same' | 'differs' | 'pending' | 'off' | 'unknown';
  about?: string | undefined;
}

/** What is wanted of a pod, beside what its host last said of it. */
export function DesiredObserved({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const drift = useQuery({ ...driftsQuery({ cloudpod_id: pod.id }), enabled: can('drift:read') });
  const firewall = useQuery(firewallQuery(pod.id));
  const open = drift.data?.items ?? [];
  const jobs = useQuery({ ...jobsQuery({ cloudpod_id: pod.id, limit: 1 }), enabled: can('provisioning:read') });
  const newest = jobs.data?.items[0];
  const isWorkedOn = newest !== undefined && !isOver(newest);
  const all = [
    powerRow(pod, isWorkedOn),
    sizeRow(pod, drift.data?.items),
    ...(can('servers:read') ? [placeRow(pod, drift.data?.items)] : []),
    networkRow(pod, firewall.data, drift.data?.items, isWorkedOn),
    autostartRow(pod, drift.data?.items),
  ];
  // To whom drift is not shown nothing of some rows is ever told.
  const rows = can('drift:read') ? all : all.filter((row) => row.observed !== '–');
  return (
    <>
      <Section
        title="Desired and observed"
        about={
          pod.observed_at ? (
            <>
              Its host last told of it <Time at={pod.observed_at} />
            </>
          ) : (
            'Its host has not told of it yet'
          )
        }
      >
        <SmallTable label="Desired and observed" heads={['What', 'Status', 'Desired', 'Observed']}>
          {rows.map((row) => (
            <Table.Tr key={row.title}>
              <Table.Th scope="row" fw={600}>
                {row.title}
              </Table.Th>
              <Table.Td>
                <Verdict row={row} />
              </Table.Td>
              <Table.Td>{row.desired}</Table.Td>
              <Table.Td>{row.observed}</Table.Td>
            </Table.Tr>
          ))}
        </SmallTable>
      </Section>
      {open.length > 0 && <DriftSection drifts={open} />}
    </>
  );
}

function Verdict({ row: { verdict, about } }: { row: Row }) {
  switch (verdict) {
    case 'same':
      return (
        <Pill tone="good" icon={IconCheck} about={about}>
          As wanted
        </Pill>
      );
    case 'differs':
      return (
        <Pill tone="bad" icon={IconEqualNot} about={about}>
          Differs
        </Pill>
      );
    case 'pending':
      return (
        <Pill tone="warn" icon={IconClock} about={about}>
          Not yet
        </Pill>
      );
    case 'off':
      return (
        <Pill tone="plain" icon={IconShieldOff} about={about}>
          Not in effect
        </Pill>
      );
    case 'unknown':
      return (
        <Pill tone="plain" icon={IconQuestionMark} about={about}>
          Not told
        </Pill>
      );
  }
}

function powerRow({ desired_power, observed_power }: CloudPod, isWorkedOn: boolean): Row {
  const row = { title: 'Power', desired: desired_power, observed: observed_power };
  if (observed_power === desired_power) return { ...row, verdict: 'same' };
  if (isWorkedOn) return { ...row, verdict: 'pending', about: 'A job works on it' };
  return { ...row, verdict: observed_power === 'unknown' ? 'unknown' : 'differs' };
}

/** Whether a host's difference of this kind is open: what is not told to tenants is not known. */
function told(
  drifts: Drift[] | undefined,
  kind: Drift['kind'],
): { verdict: Row['verdict']; drift?: Drift | undefined } {
  if (!drifts) return { verdict: 'unknown' };
  const drift = drifts.find((one) => one.kind === kind);
  return { verdict: drift ? 'differs' : 'same', drift };
}

function sizeRow(pod: CloudPod, drifts: Drift[] | undefined): Row {
  const size = `${pod.vcpu} vCPU, ${mib(pod.memory_mib)}, ${gib(pod.disk_gib)}`;
  const { verdict, drift } = told(pod.vmid ? drifts : undefined, 'size');
  if (pod.restart_causes.includes('size')) {
    return {
      title: 'Size',
      desired: size,
      observed: 'the one before',
      verdict: 'pending',
      about: 'It takes effect at its next restart',
    };
  }
  const observed = drift ? said(drift.seen) : verdict === 'same' ? size : '–';
  return { title: 'Size', desired: size, observed, verdict };
}

function placeRow(pod: CloudPod, drifts: Drift[] | undefined): Row {
  const here = pod.server ? `${pod.server.name}, VM ${pod.vmid ?? '–'}` : 'nowhere';
  const missing = drifts?.some(({ kind }) => kind === 'vm_missing');
  const { verdict, drift } = told(pod.vmid ? drifts : undefined, 'moved');
  if (pod.moving_to) {
    return {
      title: 'Place',
      desired: pod.moving_to.name,
      observed: here,
      verdict: 'pending',
      about: 'It is being moved',
    };
  }
  if (missing) return { title: 'Place', desired: here, observed: 'no VM is there', verdict: 'differs' };
  return {
    title: 'Place',
    desired: here,
    observed: drift ? said(drift.seen) : verdict === 'same' ? here : '–',
    verdict,
  };
}

function networkRow(
  pod: CloudPod,
  firewall: Firewall | undefined,
  drifts: Drift[] | undefined,
  isWorkedOn: boolean,
): Row {
  const addresses = pod.addresses.map(({ address }) => address).join(', ') || 'no addresses';
  const rules = firewall ? `${firewall.rules.length} firewall ${firewall.rules.length === 1 ? 'rule' : 'rules'}` : '…';
  const about = firewall?.not_applied_because ?? undefined;
  const changed = drifts?.filter(({ kind }) => kind === 'network' || kind === 'firewall') ?? [];
  if (changed.length > 0) {
    return {
      title: 'Network',
      desired: `${addresses}; ${rules}`,
      observed: changed.map(({ seen }) => said(seen)).join('; '),
      verdict: 'differs',
      about: 'It was changed on its host',
    };
  }
  return {
    title: 'Network',
    desired: `${addresses}; ${rules}`,
    observed: !firewall ? '…' : firewall.applied ? 'firewall in effect' : 'firewall not in effect',
    verdict: !firewall ? 'unknown' : firewall.applied ? 'same' : isWorkedOn ? 'pending' : 'off',
    about,
  };
}

function autostartRow(pod: CloudPod, drifts: Drift[] | undefined): Row {
  const words = (on: boolean) => (on ? 'with its host' : 'by hand');
  const { verdict, drift } = told(pod.vmid ? drifts : undefined, 'autostart');
  const observed = drift ? words(!pod.start_on_boot) : verdict === 'same' ? words(pod.start_on_boot) : '–';
  return { title: 'Start', desired: words(pod.start_on_boot), observed, verdict };
}
