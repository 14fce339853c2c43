import { Anchor, Button, Divider, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useWindowEvent } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Link, useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { problemOf } from '@/api/problem';
import { queries } from '@/api/queries';
import { csrfToken } from '@/api/session';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { keepBack, safeBack, takeBack } from './back';
import { EntryPage } from './EntryPage';
import { useRefusal } from './refusal';
import { type Shown, signIn } from './signIn';

export function SignInPage() {
  const { back } = useSearch({ from: '/sign-in' });
  const router = useRouter();
  const [known, setKnown] = useState<Shown>();
  const done = () => {
    // Somebody may have tried a provider before.
    const kept = takeBack();
    router.history.push(safeBack(back ?? kept));
  };
  useSignedInElsewhere(done);
  return known ? (
    <SecondStep known={known} done={done} cancel={() => setKnown(undefined)} />
  ) : (
    <FirstStep back={back} done={done} needSecond={setKnown} />
  );
}

/** Somebody who has signed in in another tab need not do so in this one: it goes on when they come back to it. */
function useSignedInElsewhere(done: () => void) {
  const [before] = useState(csrfToken);
  useWindowEvent('focus', () => {
    const now = csrfToken();
    if (!now || now === before) return;
    queries.clear();
    done();
  });
}

interface FirstProps {
  back: string | undefined;
  done: () => void;
  needSecond: (shown: Shown) => void;
}

function FirstStep({ back, done, needSecond }: FirstProps) {
  const form = useForm<Shown>({ mode: 'uncontrolled', initialValues: { email: '', password: '' } });
  const action = useAction({
    form,
    run: (shown: Shown) =>
      signIn(shown).then(done, (cause: unknown) => {
        if (!problemOf(cause).errors.some(({ field }) => field === 'totp_code')) throw cause;
        needSecond(shown);
      }),
  });
  const refusal = useRefusal();
  const providers = useQuery({
    queryKey: ['providers'],
    queryFn: () => unwrap(api.GET('/api/auth/oidc')),
    retry: false,
  });
  return (
    <EntryPage title="Sign in">
      <ProblemAlert problem={action.problem ? undefined : refusal} />
      <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
        <Stack gap="sm">
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="username"
            required
            autoFocus
            {...form.getInputProps('email')}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
            {...form.getInputProps('password')}
          />
          <ProblemAlert problem={action.problem} />
          <Button type="submit" loading={action.isPending} fullWidth>
            Sign in
          </Button>
        </Stack>
      </form>
      {providers.data && providers.data.items.length > 0 && (
        <>
          <Divider label="or" />
          {providers.data.items.map(({ name, start }) => (
            <Button key={name} component="a" href={start} variant="default" onClick={() => keepBack(back)}>
              Sign in with {name}
            </Button>
          ))}
        </>
      )}
      <Group justify="space-between">
        <Anchor size="sm" renderRoot={(props) => <Link to="/forgot-password" {...props} />}>
          Password forgotten?
        </Anchor>
        <Anchor size="sm" c="dimmed" renderRoot={(props) => <Link to="/setup" {...props} />}>
          First start
        </Anchor>
      </Group>
    </EntryPage>
  );
}

interface SecondProps {
  known: Shown;
  done: () => void;
  cancel: () => void;
}

function SecondStep({ known, done, cancel }: SecondProps) {
  const [byRecovery, setByRecovery] = useState(false);
  const form = useForm({ mode: 'uncontrolled', initialValues: { code: '' } });
  const action = useAction({
    run: async ({ code }: { code: string }) => {
      const second = byRecovery ? { recovery_code: code.trim() } : { totp_code: code.replaceAll(' ', '') };
      await signIn({ ...known, ...second });
      done();
    },
  });
  return (
    <EntryPage
      title="Second factor"
      about={
        byRecovery
          ? 'One of the codes that you kept when you set it up; it works once.'
          : 'The code that your authenticator shows now.'
      }
    >
      <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
        <Stack gap="sm">
          <TextInput
            key={String(byRecovery)}
            label={byRecovery ? 'Recovery code' : 'Code'}
            inputMode={byRecovery ? 'text' : 'numeric'}
            autoComplete="one-time-code"
            required
            autoFocus
            {...form.getInputProps('code')}
          />
          <ProblemAlert problem={action.problem} />
          <Button type="submit" loading={action.isPending} fullWidth>
            Sign in
          </Button>
        </Stack>
      </form>
      <Group justify="space-between">
        <Anchor size="sm" component="button" type="button" onClick={() => setByRecovery(!byRecovery)}>
          {byRecovery ? 'Use the authenticator' : 'Use a recovery code'}
        </Anchor>
        <Anchor size="sm" component="button" type="button" onClick={cancel}>
          Back
        </Anchor>
      </Group>
      <Text size="xs" c="dimmed">
        Signing in as {known.email}
      </Text>
    </EntryPage>
  );
}
