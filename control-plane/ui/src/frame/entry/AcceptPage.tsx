import { Alert, Anchor, Button, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { meQuery } from '@/api/me';
import { queries } from '@/api/queries';
import { csrfToken } from '@/api/session';
import { NewPassword } from '@/lib/forms/NewPassword';
import { passwordFault } from '@/lib/forms/passwords';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { EntryPage } from './EntryPage';
import { useSecret } from './secret';
import { signIn } from './signIn';

const BACK = { back: '/accept-invitation' };

/** Where the link of an invitation leads. Who has an account signs in first; who has none makes it here. */
export function AcceptPage() {
  const { secret, forget } = useSecret('accept-invitation');
  const me = useQuery({ ...meQuery(), enabled: Boolean(csrfToken()), retry: false });
  const navigate = useNavigate();
  const accepted = (tenant: string) => {
    forget();
    queries.clear();
    void navigate({ to: '/', search: { tenant } });
  };
  if (!secret) {
    return (
      <EntryPage title="Accept an invitation">
        <Alert color="yellow">
          This link is not whole: open it again as it was sent to you, or ask for another one.
        </Alert>
      </EntryPage>
    );
  }
  if (csrfToken() && me.isPending) return null;
  const user = me.data?.user;
  return user ? (
    <AsMember token={secret} email={user.email} accepted={accepted} />
  ) : (
    <AsNewcomer token={secret} accepted={accepted} />
  );
}

interface MemberProps {
  token: string;
  email: string;
  accepted: (tenant: string) => void;
}

function AsMember({ token, email, accepted }: MemberProps) {
  const action = useAction({
    run: () => unwrap(api.POST('/api/users/invite/accept', { body: { token } })),
    done: (user) => accepted(user.tenant_id),
  });
  return (
    <EntryPage title="Accept an invitation" about={<>You are signed in as {email}.</>}>
      <ProblemAlert problem={action.problem} />
      <Button loading={action.isPending} onClick={() => action.mutate()}>
        Accept as {email}
      </Button>
      <Anchor size="sm" renderRoot={(props) => <Link to="/sign-in" search={BACK} {...props} />}>
        Sign in as somebody else
      </Anchor>
    </EntryPage>
  );
}

function AsNewcomer({ token, accepted }: Omit<MemberProps, 'email'>) {
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { name: '', password: '' },
    validate: { password: passwordFault },
  });
  const action = useAction({
    form,
    run: async (values: { name: string; password: string }) => {
      const user = await unwrap(api.POST('/api/users/invite/accept', { body: { token, ...values } }));
      await signIn({ email: user.email, password: values.password });
      return user;
    },
    done: (user) => accepted(user.tenant_id),
  });
  return (
    <EntryPage title="Accept an invitation" about="Choose a name and a password for your new account.">
      <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
        <Stack gap="sm">
          <TextInput
            label="Your name"
            autoComplete="name"
            required
            maxLength={100}
            autoFocus
            {...form.getInputProps('name')}
          />
          <NewPassword label="Password" {...form.getInputProps('password')} />
          <ProblemAlert problem={action.problem} />
          <Button type="submit" loading={action.isPending}>
            Make the account
          </Button>
        </Stack>
      </form>
      <Text size="sm">
        You have an account already?{' '}
        <Anchor renderRoot={(props) => <Link to="/sign-in" search={BACK} {...props} />}>Sign in, then accept</Anchor>
      </Text>
    </EntryPage>
  );
}
