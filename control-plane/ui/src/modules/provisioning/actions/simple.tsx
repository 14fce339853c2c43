// What is done to a pod without a form: a question at most.
import { api, unwrap } from '@/api/client';
import { confirm } from '@/lib/confirm/confirm';
import { type CloudPod, podParams } from '../pods';

export function start(pod: CloudPod) {
  return unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/start', { params: podParams(pod.id) }));
}

export function reboot(pod: CloudPod): void {
  confirm({
    title: `Reboot ${pod.name}`,
    children: 'Its guest is asked to restart, and gets three minutes for it.',
    label: 'Reboot',
    changes: ['cloudpod', 'job'],
    run: () => unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/reboot', { params: podParams(pod.id), body: {} })),
  });
}

export function stop(pod: CloudPod): void {
  confirm({
    title: `Stop ${pod.name}`,
    children: 'Its power is cut at once: what its guest has not written is lost. Shutting down asks the guest instead.',
    label: 'Cut its power',
    isDanger: true,
    changes: ['cloudpod', 'job'],
    run: () => unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/stop', { params: podParams(pod.id) })),
  });
}

export function suspend(pod: CloudPod): void {
  confirm({
    title: `Suspend ${pod.name}`,
    children:
      'Its guest is shut down, and its customer may not use it until the suspension is lifted. Nothing is lost.',
    label: 'Suspend',
    reason: 'required',
    isDanger: true,
    changes: ['cloudpod', 'job'],
    run: (reason) =>
      unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/suspend', { params: podParams(pod.id), body: { reason } })),
  });
}

export function unsuspend(pod: CloudPod): void {
  confirm({
    title: `Lift the suspension of ${pod.name}`,
    children: `Its customer may use it again; it will be ${pod.suspension?.power_before ?? 'as it was'}.`,
    label: 'Lift it',
    changes: ['cloudpod', 'job'],
    run: () => unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/unsuspend', { params: podParams(pod.id) })),
  });
}

export function unrescue(pod: CloudPod): void {
  confirm({
    title: `End the rescue of ${pod.name}`,
    children: 'It is stopped, and started from its own disk again.',
    label: 'End the rescue',
    changes: ['cloudpod', 'job'],
    run: () => unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/unrescue', { params: podParams(pod.id) })),
  });
}

export function destroy(pod: CloudPod): void {
  confirm({
    title: `Delete ${pod.name}`,
    children: (
      <>
        Its virtual machine, its disk and its snapshots are destroyed for good
        {pod.addresses.length > 0 && `, and ${pod.addresses.map(({ address }) => address).join(', ')} given back`}.
        Backups stay until they are deleted themselves.
      </>
    ),
    label: `Delete ${pod.name}`,
    typed: pod.name,
    isDanger: true,
    changes: ['cloudpod', 'job'],
    run: () => unwrap(api.DELETE('/api/admin/hosting/cloudpods/{id}', { params: podParams(pod.id) })),
  });
}
