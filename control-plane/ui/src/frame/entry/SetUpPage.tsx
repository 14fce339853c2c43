import { Anchor, Button, Code, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link, useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { NewPassword } from '@/lib/forms/NewPassword';
import { passwordFault } from '@/lib/forms/passwords';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { EntryPage } from './EntryPage';
import { signIn } from './signIn';

const EMPTY = { token: '', email: '', name: '', password: '' };

/** The platform's first owner, made with the token that `mpanel` gave at its first start. */
export function SetUpPage() {
  const navigate = useNavigate();
  const form = useForm({ mode: 'uncontrolled', initialValues: EMPTY, validate: { password: passwordFault } });
  const action = useAction({
    form,
    run: async ({ token, email, name, password }: typeof EMPTY) => {
      const headers = { Authorization: `Bearer ${token.trim()}` };
      await unwrap(api.POST('/api/platform/users', { body: { email, name, password, staff: true }, headers }));
      await signIn({ email, password });
    },
    done: () => void navigate({ to: '/' }),
  });
  return (
    <EntryPage
      title="First start"
      about={
        <>
          Make the first account of the platform's staff. The token was printed by <Code>mpanel serve</Code> at its
          first start, or is where <Code>http.bootstrap_token_file</Code> says.
        </>
      }
    >
      <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
        <Stack gap="sm">
          <PasswordInput label="The platform's token" autoComplete="off" required {...form.getInputProps('token')} />
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="username"
            required
            {...form.getInputProps('email')}
          />
          <TextInput label="Your name" autoComplete="name" required maxLength={100} {...form.getInputProps('name')} />
          <NewPassword label="Password" {...form.getInputProps('password')} />
          <ProblemAlert problem={action.problem} />
          <Button type="submit" loading={action.isPending}>
            Make the account
          </Button>
        </Stack>
      </form>
      <Anchor size="sm" renderRoot={(props) => <Link to="/sign-in" {...props} />}>
        Back to the sign-in
      </Anchor>
    </EntryPage>
  );
}
