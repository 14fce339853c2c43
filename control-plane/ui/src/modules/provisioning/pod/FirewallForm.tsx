import { ActionIcon, Button, Fieldset, Group, Select, SimpleGrid, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from '@tabler/icons-react';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import type { components } from '@/api/schema';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { FormEnd } from '../actions/FormEnd';
import { type CloudPod, type Firewall, type FirewallRule, podParams } from '../pods';

type Action = components['schemas']['FirewallAction'];

const ACTIONS: { value: Action; label: string }[] = [
  { value: 'accept', label: 'Let through' },
  { value: 'drop', label: 'Drop' },
  { value: 'reject', label: 'Refuse' },
];
const DIRECTIONS = [
  { value: 'in', label: 'To the pod' },
  { value: 'out', label: 'From the pod' },
];
const PROTOCOLS = ['tcp', 'udp', 'icmp', 'ipv6-icmp'];
const RULES_MAX = 100;

const TEXTS = ['source', 'destination', 'source_ports', 'destination_ports', 'comment'] as const;
type TextField = (typeof TEXTS)[number];
type RuleValues = Pick<FirewallRule, 'direction' | 'action'> &
  Record<TextField, string> & {
    protocol: FirewallRule['protocol'] | null;
    /** For React alone: rules are moved. */
    key: number;
  };

interface Values {
  policy_in: Action;
  policy_out: Action;
  mac_filter: boolean;
  ip_filter: boolean;
  rules: RuleValues[];
}

let keys = 0;

function valuesOfRule(rule: FirewallRule): RuleValues {
  keys += 1;
  const texts = Object.fromEntries(TEXTS.map((name) => [name, rule[name] ?? ''])) as Record<TextField, string>;
  return { key: keys, direction: rule.direction, action: rule.action, protocol: rule.protocol ?? null, ...texts };
}

function valuesOf({ policy_in, policy_out, mac_filter, ip_filter, rules }: Firewall): Values {
  return { policy_in, policy_out, mac_filter, ip_filter, rules: rules.map(valuesOfRule) };
}

/** What is left empty matches anything, and is left out. */
function ruleOf({ direction, action, protocol, ...rest }: RuleValues): FirewallRule {
  const texts = TEXTS.filter((name) => rest[name].trim()).map((name) => [name, rest[name].trim()]);
  return { direction, action, ...(protocol ? { protocol } : {}), ...Object.fromEntries(texts) };
}

/** All of a pod's firewall: it is changed as a whole. */
export function FirewallForm({ pod, firewall, close }: { pod: CloudPod; firewall: Firewall; close: () => void }) {
  const can = useCan();
  const form = useForm<Values>({ initialValues: valuesOf(firewall) });
  const theirs = useTheirs(form, firewall, valuesOf);
  const mayFilter = can('cloudpods:manage');
  const action = useAction({
    form,
    run: (values: Values) => {
      const filters = mayFilter ? { mac_filter: values.mac_filter, ip_filter: values.ip_filter } : {};
      const body = {
        policy_in: values.policy_in,
        policy_out: values.policy_out,
        ...filters,
        rules: values.rules.map(ruleOf),
      };
      const [params, headers] = [podParams(pod.id), ifMatch(theirs.version)];
      return unwrap(api.PUT('/api/admin/hosting/cloudpods/{id}/firewall', { params, headers, body }));
    },
    changes: ['cloudpod', 'job'],
    theirs: theirs.load,
    done: close,
  });
  const add = () => form.insertListItem('rules', valuesOfRule({ direction: 'in', action: 'accept', protocol: 'tcp' }));
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <Select
            label="Inbound traffic that no rule names"
            allowDeselect={false}
            data={ACTIONS}
            {...form.getInputProps('policy_in')}
          />
          <Select
            label="Outbound traffic that no rule names"
            allowDeselect={false}
            data={ACTIONS}
            {...form.getInputProps('policy_out')}
          />
        </SimpleGrid>
        {mayFilter && (
          <Group>
            <Switch
              label="Only from its own MAC addresses"
              {...form.getInputProps('mac_filter', { type: 'checkbox' })}
            />
            <Switch label="Only from its own addresses" {...form.getInputProps('ip_filter', { type: 'checkbox' })} />
          </Group>
        )}
        {form.values.rules.map((rule, index) => (
          <RuleFields key={rule.key} form={form} index={index} isLast={index === form.values.rules.length - 1} />
        ))}
        {form.values.rules.length === 0 && <Text size="sm">It has no rules.</Text>}
        <Group>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus aria-hidden size={14} />}
            disabled={form.values.rules.length >= RULES_MAX}
            onClick={add}
          >
            Add a rule
          </Button>
        </Group>
        <FormEnd action={action} label="Apply" close={close} />
      </Stack>
    </form>
  );
}

interface RuleProps {
  form: ReturnType<typeof useForm<Values>>;
  index: number;
  isLast: boolean;
}

function RuleFields({ form, index, isLast }: RuleProps) {
  const field = (name: keyof RuleValues) => form.getInputProps(`rules.${index}.${name}`);
  const hasPorts = ['tcp', 'udp'].includes(form.values.rules[index]?.protocol ?? '');
  const move = (to: number) => form.reorderListItem('rules', { from: index, to });
  return (
    <Fieldset legend={`Rule ${index + 1}`} p="xs">
      <Stack gap="xs">
        <SimpleGrid cols={{ base: 2, sm: 3 }} spacing="xs">
          <Select size="xs" label="Direction" allowDeselect={false} data={DIRECTIONS} {...field('direction')} />
          <Select size="xs" label="Action" allowDeselect={false} data={ACTIONS} {...field('action')} />
          <Select size="xs" label="Protocol" placeholder="Any" clearable data={PROTOCOLS} {...field('protocol')} />
          <TextInput size="xs" label="From" placeholder="any address" {...field('source')} />
          <TextInput size="xs" label="To" placeholder="any address" {...field('destination')} />
          <TextInput
            size="xs"
            label="To ports"
            placeholder="80,8000:8100"
            disabled={!hasPorts}
            {...field('destination_ports')}
          />
          <TextInput size="xs" label="From ports" placeholder="any" disabled={!hasPorts} {...field('source_ports')} />
          <TextInput size="xs" label="Comment" {...field('comment')} />
        </SimpleGrid>
        <Group gap={4} justify="flex-end">
          <ActionIcon
            variant="default"
            disabled={index === 0}
            aria-label={`Move rule ${index + 1} up`}
            onClick={() => move(index - 1)}
          >
            <IconArrowUp aria-hidden size={14} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            disabled={isLast}
            aria-label={`Move rule ${index + 1} down`}
            onClick={() => move(index + 1)}
          >
            <IconArrowDown aria-hidden size={14} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label={`Remove rule ${index + 1}`}
            onClick={() => form.removeListItem('rules', index)}
          >
            <IconTrash aria-hidden size={14} />
          </ActionIcon>
        </Group>
      </Stack>
    </Fieldset>
  );
}
