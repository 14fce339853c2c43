import { Button, Radio, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { useScope } from '@/api/me';
import type { components } from '@/api/schema';
import { TenantSelect } from '@/frame/TenantSelect';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { SecretLink } from '@/lib/show/SecretLink';
import { ROLES, useGivable } from './roles';
import type { Role } from './users';

interface Values {
  tenant_id: string | null;
  email: string;
  role: Role;
}

/** Invites somebody to what is shown now; at the platform's view to a tenant that is chosen. */
export function InviteForm({ close }: { close: () => void }) {
  const { isPlatform, tenant } = useScope();
  const givable = useGivable();
  const [made, setMade] = useState<components['schemas']['InvitationCreated']>();
  const form = useForm<Values>({
    initialValues: { tenant_id: tenant ?? null, email: '', role: 'MEMBER' },
    validate: { tenant_id: (chosen) => (chosen ? null : 'Choose one') },
  });
  const action = useAction({
    form,
    run: ({ tenant_id, ...body }: Values) => {
      const query = { tenant_id: tenant_id ?? undefined };
      return unwrap(api.POST('/api/admin/users/invite', { params: { query }, body }));
    },
    changes: ['invitation'],
    done: setMade,
  });
  if (made) return <Invited made={made} close={close} />;
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        {isPlatform && <TenantSelect label="Tenant" required {...form.getInputProps('tenant_id')} />}
        <TextInput
          type="email"
          label="E-mail address"
          placeholder="anna@example.net"
          required
          maxLength={254}
          data-autofocus={!isPlatform || undefined}
          {...form.getInputProps('email')}
        />
        <Radio.Group label="Role" {...form.getInputProps('role')}>
          <Stack gap={8} mt={6}>
            {givable.map((role) => (
              <Radio key={role} value={role} label={ROLES[role].label} description={ROLES[role].about} />
            ))}
          </Stack>
        </Radio.Group>
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Invite
        </Button>
      </Stack>
    </form>
  );
}

function Invited({ made, close }: { made: components['schemas']['InvitationCreated']; close: () => void }) {
  const { invitation, token } = made;
  return (
    <Stack gap="sm">
      <SecretLink label="Link of the invitation" page="/accept-invitation" secret={token} email={invitation.email} />
      <Button onClick={close}>Done</Button>
    </Stack>
  );
}
