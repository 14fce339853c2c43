import { ActionIcon, Button, Group, NumberInput, SimpleGrid, Stack, Switch, Text, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { ServerSelect } from '@/modules/servers/ServerSelect';
import type { Values } from './imageValues';

interface Props {
  form: UseFormReturnType<Values>;
  readOnly?: boolean;
}

export function ImageFields({ form, readOnly }: Props) {
  return (
    <>
      <TextInput
        label="Name"
        placeholder="debian-13"
        required
        readOnly={readOnly}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput label="System" placeholder="Debian 13" readOnly={readOnly} {...form.getInputProps('os')} />
        <TextInput
          label="User"
          placeholder="debian"
          required
          readOnly={readOnly}
          {...form.getInputProps('default_user')}
        />
        <TextInput
          label="Template"
          placeholder="9000 or its name"
          readOnly={readOnly}
          {...form.getInputProps('template')}
        />
        <NumberInput
          label="Least disk (GiB)"
          placeholder="None"
          min={0}
          allowDecimal={false}
          allowNegative={false}
          readOnly={readOnly}
          {...form.getInputProps('min_disk_gib')}
        />
      </SimpleGrid>
      <Text size="xs" c="dimmed">
        The user is the one that cloud-init makes where nobody names another. A number is a template’s VMID.
      </Text>
      <Places form={form} readOnly={readOnly} />
      <Switch
        label="Active"
        description="Whether new CloudPods may be made of it. Those that were stay as they are."
        disabled={readOnly}
        {...form.getInputProps('active', { type: 'checkbox' })}
      />
    </>
  );
}

/** What the API calls what is one field here. */
const ERRORS = ['.template', '.template_vmid', '.template_name', ''];

/** Where the template is on servers that have it elsewhere. */
function Places({ form, readOnly }: Props) {
  return (
    <Stack gap="xs" role="group" aria-label="Templates of particular servers">
      {form.values.templates.map((_, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a place has nothing but its place, and holds no state of its own
        <Group key={at} gap="xs" align="flex-start" wrap="nowrap">
          <ServerSelect
            by="id"
            flex={1}
            aria-label="Server"
            placeholder="Server"
            required
            readOnly={readOnly}
            {...form.getInputProps(`templates.${at}.server`)}
            onChange={(server) => form.setFieldValue(`templates.${at}.server`, server ?? '')}
          />
          <TextInput
            flex={1}
            aria-label="Template there"
            placeholder="9000 or its name"
            readOnly={readOnly}
            {...form.getInputProps(`templates.${at}.template`)}
            error={ERRORS.map((name) => form.errors[`templates.${at}${name}`]).find(Boolean)}
          />
          {!readOnly && (
            <ActionIcon
              variant="default"
              size={36}
              aria-label="Take this server out"
              onClick={() => form.removeListItem('templates', at)}
            >
              <IconTrash aria-hidden size={16} />
            </ActionIcon>
          )}
        </Group>
      ))}
      {!readOnly && (
        <Button
          size="xs"
          variant="default"
          style={{ alignSelf: 'flex-start' }}
          leftSection={<IconPlus aria-hidden size={14} />}
          onClick={() => form.insertListItem('templates', { server: '', template: '' })}
        >
          It is elsewhere on a server
        </Button>
      )}
    </Stack>
  );
}
