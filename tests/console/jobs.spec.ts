// Jobs that are cancelled and tried again, one and many; and what has failed for good, asked for again.
import type { ChildProcess } from 'node:child_process';
import { expect, type Page, test } from '@playwright/test';
import { agentRun, api, dialog, fault, fresh, note, signIn, STAFF } from './stage';

let agent: ChildProcess | undefined;
test.beforeAll(async () => {
  agent = agentRun();
  await expect.poll(async () => (await api('GET', '/api/platform/servers/pve9')).connection).toMatchObject({ state: 'online' });
});
test.afterAll(() => agent?.kill());

interface Made {
  name: string;
  job: { id: string; state: string; retryable: boolean };
}

/** Asks for a pod on the third host. */
async function asked(name: string, more: object = {}): Promise<Made> {
  const body = { name: `${name}-${Date.now()}`, plan: 'small', image: 'debian', placement: { server: 'pve9' }, ...more };
  return { ...((await api('POST', '/api/admin/hosting/cloudpods', body)) as unknown as Made), name: body.name };
}

const jobNow = async (id: string) => (await api('GET', `/api/provisioning/jobs/${id}`)) as unknown as Made['job'];
const row = (page: Page, { name }: Made) => page.getByRole('row', { name: new RegExp(name) });

/** Ends its waits between the tries of its undo, which are long here, until there is none left. */
async function untilStuck(id: string): Promise<void> {
  await expect(async () => {
    const { state, retryable } = await jobNow(id);
    if (state !== 'stuck' && retryable) await api('POST', `/api/provisioning/jobs/${id}/retry`, {});
    expect(state).toBe('stuck');
  }).toPass({ timeout: 60_000 });
}

/** Chooses the jobs of these in the list, and what is to be done with them; the table of what became of each. */
async function bulk(page: Page, of: Made[], what: string, sure: string) {
  for (const one of of) await row(page, one).getByRole('checkbox').check();
  await page.getByRole('region', { name: 'Chosen jobs' }).getByRole('button', { name: what }).click();
  await dialog(page).getByRole('button', { name: sure }).click();
  return dialog(page).getByRole('table', { name: 'What became of each' });
}

test('jobs are cancelled, one and many, and what became of each is told', async ({ browser }) => {
  const done = await asked('done');
  await expect.poll(async () => (await jobNow(done.job.id)).state).toBe('succeeded');
  await fault('POST', { kind: 'qmclone', action: { do: 'hold' } }, 'task-faults');
  const [one, two, three] = [await asked('one'), await asked('two'), await asked('three')];
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/provisioning/jobs');
  const still = await note(page);
  await expect(row(page, one).getByText('Running', { exact: true })).toBeVisible();
  await row(page, one).getByRole('link', { name: 'Provision' }).click();
  await dialog(page).getByRole('button', { name: 'Cancel', exact: true }).click();
  await page.getByRole('dialog', { name: 'Cancel: Provision' }).getByRole('button', { name: 'Cancel the job' }).click();
  const detail = page.getByRole('dialog', { name: 'Provision', exact: true });
  await expect(detail.getByText('Cancelled', { exact: true })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  const results = await bulk(page, [two, three, done], 'Cancel', 'Cancel 3 jobs');
  await expect(results.getByText('Asked to be cancelled')).toHaveCount(2);
  const refused = results.getByRole('row').filter({ hasText: 'Refused' });
  await expect(refused).toHaveCount(1);
  await expect(refused.getByRole('cell').last()).toHaveText(/\w+/);
  await dialog(page).getByRole('button', { name: 'Close' }).last().click();
  await fault('DELETE');
  for (const cancelled of [one, two, three]) await expect(row(page, cancelled).getByText('Cancelled', { exact: true })).toBeVisible();
  await still();
  await check();
});

test('undos that are stuck are resumed, and what has ended is left as it is', async ({ browser }) => {
  const refusal = { do: 'status', status: 403, reason: 'permission check failed (VM.Config.Options)' };
  const done = await asked('ended');
  await expect.poll(async () => (await jobNow(done.job.id)).state).toBe('succeeded');
  // What was made half cannot be taken away again either.
  await fault('POST', { path: '/nodes/*/qemu/*/config', action: refusal });
  await fault('POST', { path: '/nodes/*/qemu/*', method: 'DELETE', action: refusal });
  const stuck = [await asked('stuck'), await asked('stuck-too')];
  for (const { job } of stuck) await untilStuck(job.id);
  await fault('DELETE');
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/provisioning/jobs');
  const still = await note(page);
  for (const one of stuck) await expect(row(page, one).getByText('Stuck', { exact: true })).toBeVisible();
  const results = await bulk(page, [...stuck, done], 'Try again', 'Try again');
  await expect(results.getByText('Asked to try again')).toHaveCount(2);
  await expect(results.getByRole('row').filter({ hasText: 'Refused' })).toHaveCount(1);
  await dialog(page).getByRole('button', { name: 'Close' }).last().click();
  for (const one of stuck) await expect(row(page, one).getByText('Failed', { exact: true })).toBeVisible();
  await still();
  await check();
});

test('what could not be made is asked for again with all that was asked for', async ({ browser }) => {
  const reason = 'permission check failed (VM.Clone)';
  await fault('POST', { path: '/nodes/*/qemu/*/clone', method: 'POST', action: { do: 'status', status: 403, reason } });
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5xWkXYWLbfHTlJM6zu0nG9jHqlzmZ2bCYr5lRcCXQd ann@home';
  const failed = await asked('refused', { user: 'ann', ssh_keys: [key] });
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, `/provisioning/jobs?job=${failed.job.id}`);
  const still = await note(page);
  await expect(dialog(page).getByText(/VM\.Clone/).first()).toBeVisible();
  await fault('DELETE');
  await dialog(page).getByRole('link', { name: 'Ask for it again' }).click();
  await expect(page.getByText(`${failed.name} is still there`)).toBeVisible();
  await expect(page.getByRole('combobox', { name: 'Tenant' })).toHaveValue('Default');
  await expect(page.getByRole('radio', { name: /small/ })).toBeChecked();
  await expect(page.getByRole('radio', { name: /debian/ })).toBeChecked();
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByLabel(/^Name/)).toHaveValue(failed.name);
  await expect(page.getByLabel('User')).toHaveValue('ann');
  await expect(page.getByLabel('SSH keys')).toHaveValue(key);
  await page.getByLabel(/^Name/).fill(`${failed.name}-2`);
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('combobox', { name: 'Server', exact: true })).toHaveValue('pve9');
  await page.getByRole('button', { name: 'Create the CloudPod' }).click();
  await expect(page.getByRole('main').getByText('Succeeded').first()).toBeVisible();
  await still();
  await check();
});
