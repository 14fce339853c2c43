import { Modal } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import type { FunctionComponent } from 'react';
import { useCan } from '@/api/me';
import type { CloudPod } from '../pods';
import { cloudpodRoute, type PodAction } from '../routes';
import { CaptureForm } from './CaptureForm';
import { KeysForm } from './KeysForm';
import { MediaForm } from './MediaForm';
import { MigrateForm } from './MigrateForm';
import { PasswordForm } from './PasswordForm';
import { RebuildForm } from './RebuildForm';
import { RenameForm } from './RenameForm';
import { RescueForm } from './RescueForm';
import { ResizeForm } from './ResizeForm';
import { ShutdownForm } from './ShutdownForm';

export interface ActionFormProps {
  pod: CloudPod;
  close: () => void;
}

const FORMS: Record<PodAction, { title: string; Form: FunctionComponent<ActionFormProps> }> = {
  rename: { title: 'Rename', Form: RenameForm },
  shutdown: { title: 'Shut down', Form: ShutdownForm },
  resize: { title: 'Resize', Form: ResizeForm },
  rebuild: { title: 'Rebuild', Form: RebuildForm },
  migrate: { title: 'Move', Form: MigrateForm },
  password: { title: 'Set a password of', Form: PasswordForm },
  rescue: { title: 'Rescue', Form: RescueForm },
  media: { title: 'CD drive of', Form: MediaForm },
  keys: { title: 'SSH keys of', Form: KeysForm },
  capture: { title: 'Make an image of', Form: CaptureForm },
};

/** The form that the URL names. */
export function PodActionModal({ pod }: { pod: CloudPod }) {
  const { action } = cloudpodRoute.useSearch();
  const navigate = useNavigate({ from: '/provisioning/cloudpods/$id' });
  const can = useCan();
  const close = () => void navigate({ search: (before) => ({ ...before, action: undefined }) });
  const isAllowed = can(action === 'migrate' ? 'cloudpods:manage' : 'cloudpods:write');
  const shown = action && isAllowed ? FORMS[action] : undefined;
  return (
    <Modal
      opened={Boolean(shown)}
      onClose={close}
      title={shown && `${shown.title} ${pod.name}`}
      // A password that is shown this once is not to be lost by a slip.
      closeOnClickOutside={action !== 'password'}
    >
      {shown && <shown.Form pod={pod} close={close} />}
    </Modal>
  );
}
