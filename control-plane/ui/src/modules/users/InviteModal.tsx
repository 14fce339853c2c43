import { Button } from '@mantine/core';
import { IconMailPlus } from '@tabler/icons-react';
import { useCan } from '@/api/me';
import { OpenModal } from '@/lib/open/OpenDrawer';
import { useOpen } from '@/lib/open/useOpen';
import { InviteForm } from './InviteForm';

/** On each page of the module: it opens the dialog of its own page. */
export function InviteButton() {
  const can = useCan();
  const { open } = useOpen('invite');
  if (!can('users:write')) return null;
  return (
    <Button leftSection={<IconMailPlus aria-hidden size={16} />} onClick={() => open(true)}>
      Invite somebody
    </Button>
  );
}

export function InviteModal() {
  const can = useCan();
  if (!can('users:write')) return null;
  return (
    <OpenModal name="invite" title="Invite somebody">
      {(_, close) => <InviteForm close={close} />}
    </OpenModal>
  );
}
