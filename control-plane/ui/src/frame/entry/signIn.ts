import { api, unwrap } from '@/api/client';
import { queries } from '@/api/queries';
import type { components } from '@/api/schema';

export type Shown = Omit<components['schemas']['SignIn'], 'cookies'>;

/** Signs in by cookies. What was read before may be another person's. */
export async function signIn(shown: Shown): Promise<void> {
  await unwrap(api.POST('/api/auth/login', { body: { ...shown, cookies: true } }));
  queries.clear();
}
