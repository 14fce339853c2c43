import { Button, Group, Paper, Stack, Stepper, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { useCan, useScope } from '@/api/me';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import type { CloudPod } from '../pods';
import { KeysInput } from './KeysInput';
import { PlaceStep } from './PlaceStep';
import { type CreateFormState, useCreateForm } from './useCreateForm';
import { bodyOf, type CreateValues, EMPTY, STEPS, valuesOf } from './values';
import { WhatStep } from './WhatStep';

/** What is wrong with these is shown as well: their step is gone back to. */
const EARLIER = STEPS.slice(0, -1).flat();

/** Makes a pod in three steps; as another one was asked for, where that is given. */
export function CreateForm({ like }: { like?: CloudPod }) {
  const can = useCan();
  const { isPlatform, tenant } = useScope();
  const navigate = useNavigate();
  const isNarrow = useMediaQuery('(max-width: 36em)', false, { getInitialValueInEffect: false });
  const [step, setStep] = useState(0);
  const form = useCreateForm(
    isPlatform,
    like ? valuesOf(like, can('servers:read')) : { ...EMPTY, tenant_id: tenant ?? '' },
  );
  const action = useAction({
    form: { ...form, getInputNode: (path) => EARLIER.some((field) => field === path) || form.getInputNode(path) },
    run: async (values: CreateValues) => {
      const query = values.tenant_id ? { tenant_id: values.tenant_id } : {};
      const body = bodyOf(values);
      const made = await unwrap(api.POST('/api/admin/hosting/cloudpods', { params: { query }, body }));
      // Its steps are shown here, and not in the corner too.
      return { cloudpod: made.cloudpod.id, job: made.job.id };
    },
    changes: ['cloudpod', 'job'],
    done: (search) => void navigate({ to: '/provisioning/cloudpods/new', search, replace: true }),
  });
  const wrong = stepOf(form.errors);
  const hasFailed = action.isError;
  useEffect(() => {
    if (hasFailed && wrong >= 0) setStep(wrong);
  }, [hasFailed, wrong]);

  const isRight = (of: number) =>
    (STEPS[of] ?? []).map((field) => form.validateField(field)).every((one) => !one.hasError);
  const go = (to: number) => {
    // Backwards as one likes; forwards past nothing that is wrong.
    for (let one = step; one < to; one += 1) if (!isRight(one)) return setStep(one);
    return setStep(to);
  };
  const isLast = step === STEPS.length - 1;
  const create = form.onSubmit(
    (values) => action.mutate(values),
    (errors) => setStep(stepOf(errors)),
  );
  const submit = (event: FormEvent<HTMLFormElement>) => {
    if (isLast) return create(event);
    // What is on later steps is not wrong before anybody was there.
    event.preventDefault();
    go(step + 1);
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md" maw={860}>
        <Stepper active={step} onStepClick={go} size="sm" orientation={isNarrow ? 'vertical' : 'horizontal'}>
          <Stepper.Step label="Plan and image" />
          <Stepper.Step label="Name and access" />
          <Stepper.Step label="Place" />
        </Stepper>
        <Paper withBorder p="md">
          {step === 0 && <WhatStep form={form} choosesTenant={isPlatform} />}
          {step === 1 && <AccessStep form={form} />}
          {step === 2 && <PlaceStep form={form} />}
        </Paper>
        <ProblemAlert problem={action.problem} />
        <Group justify="space-between">
          <Button variant="default" disabled={step === 0} onClick={() => setStep(step - 1)}>
            Back
          </Button>
          <Button type="submit" loading={action.isPending}>
            {isLast ? 'Create the CloudPod' : 'Next'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** The first step on which something is wrong. */
function stepOf(errors: object): number {
  return STEPS.findIndex((fields) =>
    Object.keys(errors).some((path) => fields.some((field) => path.split('.', 1)[0] === field)),
  );
}

function AccessStep({ form }: { form: CreateFormState }) {
  return (
    <Stack gap="sm">
      <TextInput
        label="Name"
        description="Small letters, digits and hyphens; no two CloudPods of a tenant have the same"
        placeholder="web-1"
        required
        maxLength={63}
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps('name')}
      />
      <TextInput
        label="User"
        description="That is made in it; left empty: the image's own"
        maxLength={32}
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps('user')}
      />
      <KeysInput {...form.getInputProps('ssh_keys')} />
    </Stack>
  );
}
