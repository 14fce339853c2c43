import { api } from '@/api/client';
import { queries } from '@/api/queries';

/** Ends this sign-in; also where the server cannot be asked, nothing of it stays on the screen. */
export async function signOut(): Promise<void> {
  await api.POST('/api/auth/logout').catch(() => undefined);
  queries.clear();
}
