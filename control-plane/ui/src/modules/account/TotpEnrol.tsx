import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Secret } from '@/lib/show/Secret';
import { QrCode } from './QrCode';

type Enrolment = components['schemas']['TotpEnrolment'];

/** Password, then the QR code and its first code, then the recovery codes, which are shown this once. */
export function TotpEnrol({ close }: { close: () => void }) {
  const [enrolment, setEnrolment] = useState<Enrolment>();
  const [codes, setCodes] = useState<string[]>();
  if (codes) return <Recovery codes={codes} close={close} />;
  if (enrolment) return <Confirm enrolment={enrolment} done={setCodes} />;
  return <Begin done={setEnrolment} />;
}

function Begin({ done }: { done: (enrolment: Enrolment) => void }) {
  const form = useForm({ mode: 'uncontrolled', initialValues: { password: '' } });
  const action = useAction({
    form,
    run: (body: { password: string }) => unwrap(api.POST('/api/auth/totp/enrol', { body })),
    done,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <PasswordInput
          label="Your password"
          autoComplete="current-password"
          required
          data-autofocus
          {...form.getInputProps('password')}
        />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Go on
        </Button>
      </Stack>
    </form>
  );
}

function Confirm({ enrolment, done }: { enrolment: Enrolment; done: (codes: string[]) => void }) {
  const form = useForm({ mode: 'uncontrolled', initialValues: { code: '' } });
  const action = useAction({
    form,
    run: ({ code }: { code: string }) =>
      unwrap(api.POST('/api/auth/totp/confirm', { body: { code: code.replaceAll(' ', '') } })),
    changes: ['me'],
    done: ({ recovery_codes }) => done(recovery_codes),
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Text size="sm">Scan this with your authenticator app, then type the code that it shows.</Text>
        <QrCode text={enrolment.uri} label="QR code for the authenticator" />
        <Text size="xs" c="dimmed">
          Or type this secret into it:
        </Text>
        <Secret value={enrolment.secret} label="Secret for the authenticator" />
        <TextInput
          label="Code"
          inputMode="numeric"
          autoComplete="one-time-code"
          required
          data-autofocus
          {...form.getInputProps('code')}
        />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Switch it on
        </Button>
      </Stack>
    </form>
  );
}

function Recovery({ codes, close }: { codes: string[]; close: () => void }) {
  return (
    <Stack gap="sm">
      <Alert color="yellow">
        Keep these recovery codes where your authenticator is not. Each works once in its place; they are not shown
        again.
      </Alert>
      <Secret value={codes.join('\n')} label="Recovery codes" />
      <Button onClick={close}>I have kept them</Button>
    </Stack>
  );
}
