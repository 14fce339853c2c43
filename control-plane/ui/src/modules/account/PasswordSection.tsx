import { Button, Checkbox, Group, PasswordInput, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { api, unwrap } from '@/api/client';
import { NewPassword } from '@/lib/forms/NewPassword';
import { passwordFault } from '@/lib/forms/passwords';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';

const EMPTY = { current_password: '', new_password: '', end_tokens: false };

export function PasswordSection() {
  const form = useForm({ initialValues: EMPTY, validate: { new_password: passwordFault } });
  const action = useAction({
    form,
    run: (body: typeof EMPTY) => unwrap(api.POST('/api/auth/password', { body })),
    changes: ['session', 'token'],
    done: () => {
      form.reset();
      notifications.show({
        color: 'green',
        title: 'Your password is changed',
        message: 'Your other sign-ins were ended.',
      });
    },
  });
  return (
    <Section title="Password" about="A new one ends your other sign-ins.">
      <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
        <Stack gap="sm" maw={380}>
          <PasswordInput
            label="Present password"
            autoComplete="current-password"
            required
            {...form.getInputProps('current_password')}
          />
          <NewPassword {...form.getInputProps('new_password')} />
          <Checkbox
            label="End my API tokens too"
            description="If somebody else may know the present password"
            {...form.getInputProps('end_tokens', { type: 'checkbox' })}
          />
          <ProblemAlert problem={action.problem} />
          <Group>
            <Button type="submit" loading={action.isPending}>
              Change the password
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
