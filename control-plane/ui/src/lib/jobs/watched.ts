// The jobs that were begun in this tab and whose end nobody has seen yet.
import { useSyncExternalStore } from 'react';
import type { components } from '@/api/schema';

export type Job = components['schemas']['Job'];

const ALL_MAX = 5;

let jobs: Job[] = [];
const watchers = new Set<() => void>();

function become(next: Job[]): void {
  jobs = next;
  for (const tell of watchers) tell();
}

/** Shows the job's progress until it is put away. */
export function watchJob(job: Job): void {
  become([...jobs.filter((one) => one.id !== job.id), job].slice(-ALL_MAX));
}

export function unwatchJob(id: string): void {
  become(jobs.filter((one) => one.id !== id));
}

export function unwatchJobs(): void {
  become([]);
}

export function useWatchedJobs(): Job[] {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    () => jobs,
  );
}
