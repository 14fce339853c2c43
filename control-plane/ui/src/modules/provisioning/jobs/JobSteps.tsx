import { Text, VisuallyHidden } from '@mantine/core';
import { IconArrowBackUp, IconCheck, IconCircleDashed, IconLoader2, IconX, type TablerIcon } from '@tabler/icons-react';
import { words } from '@/lib/jobs/job';
import { duration } from '@/lib/show/duration';
import classes from './JobSteps.module.css';
import type { Job, JobStep } from './jobs';

const SIGNS: Record<string, TablerIcon> = {
  pending: IconCircleDashed,
  running: IconLoader2,
  done: IconCheck,
  failed: IconX,
  undoing: IconArrowBackUp,
  undone: IconArrowBackUp,
};

/** What a job does, one after the other. */
export function JobSteps({ job }: { job: Job }) {
  return (
    <ol className={classes.steps} aria-label="Steps">
      {(job.steps ?? []).map((step) => (
        <Step key={step.name} step={step} of={job.attempts_max} />
      ))}
    </ol>
  );
}

function Step({ step, of }: { step: JobStep; of: number }) {
  const { name, state, attempt, started_at, finished_at, detail } = step;
  const Sign = SIGNS[state] ?? IconCircleDashed;
  const isBusy = state === 'running' || state === 'undoing';
  return (
    <li className={classes.step} data-state={state} aria-current={isBusy ? 'step' : undefined}>
      <span className={classes.sign} data-state={state}>
        <Sign aria-hidden size={16} className={state === 'running' ? classes.turns : undefined} />
        <VisuallyHidden>{state}: </VisuallyHidden>
      </span>
      <span>
        {words(name)}
        {attempt > 1 && (
          <Text span size="xs" c="dimmed">
            {' '}
            attempt {attempt} of {of}
          </Text>
        )}
      </span>
      <Text size="xs" c="dimmed" component="span">
        {started_at && finished_at ? duration(started_at, finished_at) : state === 'pending' ? '' : words(state)}
      </Text>
      {detail && (
        <span className={classes.detail} data-state={state}>
          {detail}
        </span>
      )}
    </li>
  );
}
