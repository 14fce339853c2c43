import { api } from '@/api/client';
import { forget } from './forget';

/** Ends this sign-in and leaves; also where the server cannot be asked, nothing of it stays on the screen or in memory. */
export async function signOut(leave: () => Promise<void>): Promise<void> {
  await api.POST('/api/auth/logout').catch(() => undefined);
  await leave();
  forget();
}
