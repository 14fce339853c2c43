import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Noun } from '@/api/keys';
import { type Problem, problemOf } from '@/api/problem';
import type { components } from '@/api/schema';
import { watchJob } from '../jobs/watched';
import { tellProblem } from '../page/tellProblem';
import { type FormLike, showAtFields } from './fields';
import { offerTheirs } from './offerTheirs';

interface Options<V, R> {
  /** Does it, with `unwrap(api.POST(…))`. */
  run: (values: V) => Promise<R>;
  /** Whose fields get their errors. What is left is `problem`, to be shown by the form's `ProblemAlert`. */
  form?: FormLike;
  /** Read anew at once, where no event says it or it would come too late. */
  changes?: Noun[];
  done?: (result: R) => void;
  /** Called when what somebody else made of it has been loaded: begin the form anew. */
  theirs?: () => void;
  /** Whether a problem is told in a notification: where there is no form to show it. */
  tell?: boolean;
}

type Job = components['schemas']['Job'];

/** A change: sent once, its errors at their fields, its job followed, a lost update explained. */
export function useAction<R, V = void>({ run, form, changes = [], done, theirs, tell }: Options<V, R>) {
  const queries = useQueryClient();
  // Which fields are on the screen is known when the answer comes.
  const [beyond, setBeyond] = useState<Problem | null>(null);
  const refresh = () => Promise.all(changes.map((noun) => queries.invalidateQueries({ queryKey: [noun] })));
  const mutation = useMutation<R, unknown, V>({
    mutationFn: run,
    // What was typed and answered may be secret: it goes with what showed it.
    gcTime: 0,
    onSuccess: (result) => {
      void refresh();
      const job = jobOf(result);
      if (job) watchJob(job);
      done?.(result);
    },
    onError: (cause) => {
      const problem = problemOf(cause);
      if (problem.status === 412) {
        offerTheirs(() => {
          mutation.reset();
          void refresh().then(theirs);
        });
      } else if (tell) tellProblem(problem);
      if (form) setBeyond(showAtFields(form, problem));
    },
  });
  const problem: Problem | null = mutation.error ? problemOf(mutation.error) : null;
  return { ...mutation, problem: problem && form ? beyond : problem };
}

/** The job of an answer that began one: the answer itself, or in it. */
function jobOf(result: unknown): Job | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  const job = 'job' in result ? result.job : result;
  const isJob = typeof job === 'object' && job !== null && 'attempts_max' in job && 'state' in job;
  return isJob ? (job as Job) : undefined;
}
