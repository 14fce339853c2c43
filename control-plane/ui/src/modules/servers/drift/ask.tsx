// What is asked before something is done about a difference.
import { api, unwrap } from '@/api/client';
import type { Noun } from '@/api/keys';
import { confirm } from '@/lib/confirm/confirm';
import { type Drift, said } from './drift';

const CHANGES: Noun[] = ['drift', 'invariant', 'cloudpod', 'job'];

const path = ({ id }: Drift) => ({ path: { id } });
const vmOf = ({ server, vmid }: Drift) => `${server.name}/${vmid}`;

export function askHeal(drift: Drift): void {
  confirm({
    title: `Put ${drift.cloudpod.name ?? vmOf(drift)} right?`,
    children: `A job makes it as it is wanted: ${said(drift.expected)}. Now it is: ${said(drift.seen)}.`,
    label: 'Put it right',
    changes: CHANGES,
    run: () => unwrap(api.POST('/api/platform/drift/{id}/heal', { params: path(drift) })),
  });
}

export function askAccept(drift: Drift): void {
  const isOrphan = drift.kind === 'orphan';
  confirm({
    title: isOrphan ? `Give ${vmOf(drift)} back to its pod?` : 'Accept what is seen?',
    children: isOrphan
      ? 'Only where its pod is failed and has no other VM. A job has the hosts confirm it first.'
      : `From now on it is wanted as it is: ${said(drift.seen)}. Wanted until now: ${said(drift.expected)}.`,
    label: isOrphan ? 'Give it back' : 'Accept',
    changes: CHANGES,
    run: () => unwrap(api.POST('/api/platform/drift/{id}/accept', { params: path(drift) })),
  });
}

export function askRelease(drift: Drift): void {
  confirm({
    title: `Release ${vmOf(drift)}?`,
    children:
      'A job takes our stamp off the VM and changes nothing else of it: it is a foreign VM then, which can be adopted.',
    label: 'Release',
    typed: vmOf(drift),
    changes: CHANGES,
    run: () =>
      unwrap(api.POST('/api/platform/drift/{id}/release', { params: path(drift), body: { confirm: vmOf(drift) } })),
  });
}

export function askDestroy(drift: Drift): void {
  confirm({
    title: `Destroy ${vmOf(drift)}?`,
    children: 'Its agent destroys the VM with its disks, if it bears the very stamp. What is on it is lost.',
    label: 'Destroy the VM',
    typed: vmOf(drift),
    isDanger: true,
    changes: CHANGES,
    run: () =>
      unwrap(api.POST('/api/platform/drift/{id}/destroy', { params: path(drift), body: { confirm: vmOf(drift) } })),
  });
}
