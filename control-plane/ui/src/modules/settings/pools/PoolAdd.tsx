import { Button, NumberInput, SegmentedControl, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { numberOrNull, type Typed } from '@/lib/forms/numbers';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { type Common, commonOf, PoolFields } from './PoolFields';

interface Values extends Common {
  /** Whether it is a subnet, or a part of one. */
  as: 'subnet' | 'range';
  cidr: string;
  first: string;
  last: string;
  prefix_length: Typed;
}

const EMPTY: Values = {
  name: '',
  as: 'subnet',
  cidr: '',
  first: '',
  last: '',
  prefix_length: 24,
  gateway: '',
  dns: [],
  bridge: '',
  vlan: '',
  region: '',
  active: true,
  public: true,
};

const AS = [
  { value: 'subnet', label: 'A whole subnet' },
  { value: 'range', label: 'From … to' },
];

function bodyOf({ as, cidr, first, last, prefix_length, ...common }: Values) {
  const range = as === 'subnet' ? { cidr } : { first, last, prefix_length: numberOrNull(prefix_length) };
  return { ...commonOf(common), ...range };
}

/** Makes a pool, and goes to it. */
export function PoolAdd() {
  const navigate = useNavigate();
  const form = useForm<Values>({ initialValues: EMPTY });
  const action = useAction({
    form,
    run: (values: Values) => unwrap(api.POST('/api/platform/ip-pools', { body: bodyOf(values) })),
    changes: ['ip_pool'],
    done: ({ name }) => void navigate({ to: '/settings/ip-pools/$pool', params: { pool: name } }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput label="Name" placeholder="public-v4" required data-autofocus {...form.getInputProps('name')} />
        <SegmentedControl data={AS} aria-label="Its addresses" {...form.getInputProps('as')} />
        {form.values.as === 'subnet' ? (
          <TextInput
            label="Subnet"
            description="All its hosts but the gateway"
            placeholder="192.0.2.0/24"
            required
            {...form.getInputProps('cidr')}
            // What is wrong with the range that it makes is said of its first address.
            error={form.errors.cidr ?? form.errors.first}
          />
        ) : (
          <>
            <SimpleGrid cols={2} spacing="sm">
              <TextInput label="First" placeholder="192.0.2.10" required {...form.getInputProps('first')} />
              <TextInput label="Last" placeholder="192.0.2.250" required {...form.getInputProps('last')} />
            </SimpleGrid>
            <NumberInput
              label="Length of the subnet’s prefix"
              min={1}
              max={128}
              allowDecimal={false}
              required
              w={220}
              {...form.getInputProps('prefix_length')}
            />
          </>
        )}
        <PoolFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Add the pool
        </Button>
      </Stack>
    </form>
  );
}
