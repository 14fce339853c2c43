import { Alert, Anchor, Button, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { EntryPage } from './EntryPage';

export function ForgottenPage() {
  const form = useForm({ mode: 'uncontrolled', initialValues: { email: '' } });
  const action = useAction({
    form,
    run: (body: { email: string }) => unwrap(api.POST('/api/auth/password/forgot', { body })),
  });
  return (
    <EntryPage title="Password forgotten" about="A link to set a new one is sent to your address.">
      {action.isSuccess ? (
        <Alert color="green" role="status">
          If this address has an account, a link is on its way to it. Look into your mail.
        </Alert>
      ) : (
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
            <ProblemAlert problem={action.problem} />
            <Button type="submit" loading={action.isPending}>
              Send the link
            </Button>
          </Stack>
        </form>
      )}
      <Anchor size="sm" renderRoot={(props) => <Link to="/sign-in" {...props} />}>
        Back to the sign-in
      </Anchor>
    </EntryPage>
  );
}
