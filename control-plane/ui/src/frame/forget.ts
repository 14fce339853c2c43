import { queries } from '@/api/queries';
import { unwatchJobs } from '@/lib/jobs/watched';

/** Nothing that was read or begun stays: for another tenant, and for whoever signs in next. */
export function forget(): void {
  queries.clear();
  unwatchJobs();
}
