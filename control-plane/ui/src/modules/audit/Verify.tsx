import { Alert, Button, NumberInput, Progress, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { useState } from 'react';
import { numberOrNull, type Typed } from '@/lib/forms/numbers';
import { useAction } from '@/lib/forms/useAction';
import { useOpen } from '@/lib/open/useOpen';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Facts } from '@/lib/show/Facts';
import { Secret } from '@/lib/show/Secret';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { Breaks } from './Breaks';
import { type Proof, prove } from './prove';

export function VerifyButton() {
  const { open } = useOpen('verify');
  return (
    <Button variant="default" leftSection={<IconShieldCheck aria-hidden size={16} />} onClick={() => open(true)}>
      Verify
    </Button>
  );
}

interface Values {
  known_count: Typed;
  known_head: string;
}

/** Proves that no record was changed, removed or put in. */
export function Verify() {
  const [proof, setProof] = useState<Proof>();
  const form = useForm<Values>({ initialValues: { known_count: '', known_head: '' } });
  const action = useAction({
    form,
    run: ({ known_count, known_head }: Values) => {
      setProof(undefined);
      const known = { known_count: numberOrNull(known_count) ?? undefined, known_head: known_head.trim() || undefined };
      return prove(known, setProof);
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Text size="sm">
          Each record is sealed by a hash that follows from all before it. This walks the whole chain, and tells where
          something was changed, removed or put in.
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <NumberInput
            label="Known count"
            description="As it was noted some time ago"
            placeholder="Optional"
            min={1}
            allowDecimal={false}
            {...form.getInputProps('known_count')}
          />
          <TextInput
            label="Known head"
            description="The hash of that time"
            placeholder="Optional"
            maxLength={64}
            {...form.getInputProps('known_head')}
          />
        </SimpleGrid>
        <Button type="submit" loading={action.isPending}>
          {proof?.complete ? 'Verify again' : 'Verify'}
        </Button>
        <ProblemAlert problem={action.problem} />
        {proof && <Outcome proof={proof} />}
      </Stack>
    </form>
  );
}

function Outcome({ proof }: { proof: Proof }) {
  const { complete, checked, count, head, breaks, unsealed, unsealed_since } = proof;
  if (!complete) {
    return (
      <div role="status">
        <Text size="sm">
          {number(checked)} of {number(count)} links walked
        </Text>
        <Progress value={count > 0 ? (checked / count) * 100 : 0} aria-label="Links walked" />
      </div>
    );
  }
  const isWhole = breaks.length === 0;
  return (
    <Stack gap="sm">
      <Alert
        role="status"
        color={isWhole ? 'green' : 'red'}
        icon={isWhole ? <IconShieldCheck aria-hidden /> : <IconShieldX aria-hidden />}
        title={isWhole ? 'The audit is whole' : `What does not fit: ${number(breaks.length)}`}
      >
        {number(checked)} links were walked.
      </Alert>
      <Breaks breaks={breaks} />
      <Facts
        facts={[
          { title: 'Links', value: number(count) },
          { title: 'Records not sealed yet', value: number(unsealed) },
          ...(unsealed_since ? [{ title: 'The oldest waits since', value: <Time at={unsealed_since} /> }] : []),
        ]}
      />
      <Text size="sm">
        Note the count, {number(count)}, and this head elsewhere: who rewrites the whole chain cannot rewrite that.
      </Text>
      <Secret value={head} label="Head of the chain" />
    </Stack>
  );
}
