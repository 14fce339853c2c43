import { Button, Menu } from '@mantine/core';
import {
  IconCamera,
  IconChevronDown,
  IconCursorText,
  IconDisc,
  IconHammer,
  IconKey,
  IconLifebuoy,
  IconLock,
  IconLockOpen,
  IconPassword,
  IconPlayerPlay,
  IconPower,
  IconRefresh,
  IconResize,
  IconTerminal2,
  IconTransfer,
  IconTrash,
  type TablerIcon,
} from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { useAction } from '@/lib/forms/useAction';
import { type CloudPod, isGone, isUsable } from '../pods';
import type { PodAction } from '../routes';
import { useCds } from './cds';
import { destroy, reboot, start, stop, suspend, unrescue, unsuspend } from './simple';

interface Item {
  label: string;
  icon: TablerIcon;
  /** Opens a form, or does it. */
  action: PodAction | ((pod: CloudPod) => void);
  /** In which state of the pod it can be done. */
  isPossible: (pod: CloudPod) => boolean;
  isStaffs?: boolean;
  /** Which takes a CD. */
  isOfCds?: boolean;
}

const hasVm = (pod: CloudPod) => isUsable(pod) && pod.vmid != null;
const isRunning = (pod: CloudPod) => isUsable(pod) && pod.observed_power !== 'stopped';

const GROUPS: Item[][] = [
  [
    { label: 'Shut down', icon: IconPower, action: 'shutdown', isPossible: isRunning },
    { label: 'Reboot', icon: IconRefresh, action: reboot, isPossible: isRunning },
    { label: 'Stop at once', icon: IconPower, action: stop, isPossible: isRunning },
  ],
  [
    { label: 'Rename', icon: IconCursorText, action: 'rename', isPossible: (pod) => !isGone(pod) },
    { label: 'Resize', icon: IconResize, action: 'resize', isPossible: isUsable },
    { label: 'Set a password', icon: IconPassword, action: 'password', isPossible: isUsable },
    { label: 'SSH keys', icon: IconKey, action: 'keys', isPossible: isUsable },
    {
      label: 'CD drive',
      icon: IconDisc,
      action: 'media',
      isPossible: (pod) => isUsable(pod) && !pod.rescue_iso,
      isOfCds: true,
    },
    {
      label: 'Rescue',
      icon: IconLifebuoy,
      action: 'rescue',
      isPossible: (pod) => isUsable(pod) && !pod.rescue_iso,
      isOfCds: true,
    },
    { label: 'End the rescue', icon: IconLifebuoy, action: unrescue, isPossible: (pod) => Boolean(pod.rescue_iso) },
    { label: 'Make an image of it', icon: IconCamera, action: 'capture', isPossible: hasVm },
  ],
  [
    {
      label: 'Move to another server',
      icon: IconTransfer,
      action: 'migrate',
      isPossible: (pod) => (isUsable(pod) || pod.state === 'suspended') && !pod.moving_to,
      isStaffs: true,
    },
    { label: 'Suspend', icon: IconLock, action: suspend, isPossible: isUsable, isStaffs: true },
    {
      label: 'Lift the suspension',
      icon: IconLockOpen,
      action: unsuspend,
      isPossible: (pod) => pod.state === 'suspended',
      isStaffs: true,
    },
  ],
];

const DANGERS: Item[] = [
  {
    label: 'Rebuild',
    icon: IconHammer,
    action: 'rebuild',
    isPossible: (pod) => isUsable(pod) || pod.state === 'failed',
  },
  { label: 'Delete', icon: IconTrash, action: destroy, isPossible: (pod) => !isGone(pod) && pod.state !== 'deleting' },
];

/** What can be done to a pod: by who may, and in the state that it is in. */
export function PodActions({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const navigate = useNavigate({ from: '/provisioning/cloudpods/$id' });
  const starting = useAction({ run: () => start(pod), changes: ['cloudpod', 'job'], tell: true });
  const { hasCds } = useCds();
  if (!can('cloudpods:write') || isGone(pod)) return null;
  // One that is in the drive can be taken out, wherever it came from.
  const isOffered = ({ action, isOfCds }: Item) => !isOfCds || hasCds || (action === 'media' && pod.media.iso != null);
  const allowed = (items: Item[]) =>
    items.filter((item) => item.isPossible(pod) && isOffered(item) && (!item.isStaffs || can('cloudpods:manage')));
  const run = ({ action }: Item) => {
    if (typeof action === 'string') void navigate({ search: (before) => ({ ...before, action }) });
    else action(pod);
  };
  const groups = [...GROUPS, DANGERS].map(allowed).filter((group) => group.length > 0);
  return (
    <>
      {isUsable(pod) && pod.observed_power === 'stopped' && (
        <Button
          leftSection={<IconPlayerPlay aria-hidden size={16} />}
          loading={starting.isPending}
          onClick={() => starting.mutate()}
        >
          Start
        </Button>
      )}
      {isRunning(pod) && (
        <Button
          variant="default"
          leftSection={<IconTerminal2 aria-hidden size={16} />}
          renderRoot={(props) => <Link to="/provisioning/cloudpods/$id/console" params={{ id: pod.id }} {...props} />}
        >
          Console
        </Button>
      )}
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <Button variant="default" rightSection={<IconChevronDown aria-hidden size={14} />}>
            Actions
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {groups.map((group, index) => [
            index > 0 && <Menu.Divider key={`before ${group[0]?.label}`} />,
            ...group.map((item) => (
              <Menu.Item
                key={item.label}
                leftSection={<item.icon aria-hidden size={15} stroke={1.6} />}
                c={DANGERS.includes(item) ? 'var(--mantine-color-error)' : undefined}
                onClick={() => run(item)}
              >
                {item.label}
              </Menu.Item>
            )),
          ])}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
