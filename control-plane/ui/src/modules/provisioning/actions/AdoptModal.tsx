import { Modal, SimpleGrid, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { useScope } from '@/api/me';
import { TenantSelect } from '@/frame/TenantSelect';
import { useAction } from '@/lib/forms/useAction';
import { ServerSelect } from '@/modules/servers/ServerSelect';
import { ImageSelect, PlanSelect } from '../create/selects';
import { cloudpodsRoute } from '../routes';
import { FormEnd } from './FormEnd';

/** Makes a pod of a VM that somebody made on the host; opened by the list's `adopt` in the URL. */
export function AdoptModal() {
  const { adopt, adopt_server, adopt_vmid } = cloudpodsRoute.useSearch();
  const navigate = useNavigate({ from: '/provisioning/cloudpods' });
  const close = () => {
    const without = { adopt: undefined, adopt_server: undefined, adopt_vmid: undefined };
    void navigate({ search: (before) => ({ ...before, ...without }) });
  };
  return (
    <Modal opened={adopt === true} onClose={close} title="Adopt a VM" size="lg">
      <AdoptForm server={adopt_server ?? ''} vmid={adopt_vmid?.toString() ?? ''} close={close} />
    </Modal>
  );
}

function AdoptForm({ server, vmid, close }: { server: string; vmid: string; close: () => void }) {
  const { isPlatform, tenant } = useScope();
  const navigate = useNavigate();
  const form = useForm({
    initialValues: {
      tenant_id: tenant ?? '',
      server,
      vmid,
      name: '',
      plan: '',
      image: '',
      storage: '',
      addresses: [] as string[],
    },
    validate: {
      vmid: (value) => (/^\d{3,9}$/.test(value) ? null : 'Must be a number from 100'),
      server: (value) => (value ? null : 'Choose one'),
      plan: (value) => (value ? null : 'Choose one'),
      image: (value) => (value ? null : 'Choose one'),
    },
  });
  const action = useAction({
    form,
    run: ({ tenant_id, vmid: number, storage, ...rest }: typeof form.values) =>
      unwrap(
        api.POST('/api/admin/hosting/cloudpods/adopt', {
          params: { query: tenant_id ? { tenant_id } : {} },
          body: { ...rest, vmid: Number(number), storage: storage || null },
        }),
      ),
    changes: ['cloudpod', 'job'],
    done: ({ cloudpod }) => void navigate({ to: '/provisioning/cloudpods/$id', params: { id: cloudpod.id } }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Text size="sm">
          The VM gets the platform's stamp, and nothing else of it is changed: its network and its user stay what they
          are until it is rebuilt.
        </Text>
        {isPlatform && <TenantSelect label="Tenant" required {...form.getInputProps('tenant_id')} />}
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <ServerSelect
            by="name"
            label="Server"
            required
            {...form.getInputProps('server')}
            onChange={(chosen) => form.setFieldValue('server', chosen ?? '')}
          />
          <TextInput label="VM number" required inputMode="numeric" placeholder="100" {...form.getInputProps('vmid')} />
          <TextInput label="Name" required maxLength={63} placeholder="web-1" {...form.getInputProps('name')} />
          <TextInput
            label="Storage of its disk"
            placeholder="the server's only one"
            maxLength={100}
            {...form.getInputProps('storage')}
          />
          <PlanSelect description="What it is sold as; its size stays" {...form.getInputProps('plan')} />
          <ImageSelect description="What it was made from, or the nearest" {...form.getInputProps('image')} />
        </SimpleGrid>
        <TagsInput
          label="Addresses that it uses"
          description="Held for it in the pools that they are of"
          placeholder="192.0.2.10"
          {...form.getInputProps('addresses')}
        />
        <FormEnd action={action} label="Adopt" close={close} />
      </Stack>
    </form>
  );
}
