import { Alert, Anchor, Button, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { NewPassword } from '@/lib/forms/NewPassword';
import { passwordFault } from '@/lib/forms/passwords';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { EntryPage } from './EntryPage';
import { useSecret } from './secret';

export function ResetPage() {
  const { secret, forget } = useSecret('reset-password');
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { password: '' },
    validate: { password: passwordFault },
  });
  const action = useAction({
    form,
    run: ({ password }: { password: string }) =>
      unwrap(api.POST('/api/auth/password/reset', { body: { secret, password } })),
    done: forget,
  });
  if (!secret) {
    return (
      <EntryPage title="Set a new password">
        <Alert color="yellow">This link is not whole: open it again from the mail, or ask for another one.</Alert>
        <Anchor size="sm" renderRoot={(props) => <Link to="/forgot-password" {...props} />}>
          Ask for another link
        </Anchor>
      </EntryPage>
    );
  }
  if (action.isSuccess) {
    return (
      <EntryPage title="Your password is set" about="All your sign-ins and API tokens were ended.">
        <Button renderRoot={(props) => <Link to="/sign-in" {...props} />}>Sign in</Button>
      </EntryPage>
    );
  }
  return (
    <EntryPage title="Set a new password" about="It ends all your sign-ins and API tokens.">
      <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
        <Stack gap="sm">
          <NewPassword autoFocus {...form.getInputProps('password')} />
          <ProblemAlert problem={action.problem} />
          <Button type="submit" loading={action.isPending}>
            Set it
          </Button>
        </Stack>
      </form>
    </EntryPage>
  );
}
