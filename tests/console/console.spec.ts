// What people do in the console, each step as they see it, without a reload.
import type { ChildProcess } from 'node:child_process';
import { expect, test } from '@playwright/test';
import { accessible, agentEnrol, agentRun, api, choose, dialog, fault, fresh, note, PASSWORD, signIn, STAFF } from './stage';

let agent: ChildProcess | undefined;
test.afterAll(() => agent?.kill());

test('a wrong password is refused, the right one leads to where one wanted to go', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await page.goto('/servers?region=eu');
  await page.getByLabel('E-mail address').fill(STAFF);
  await page.getByLabel(/^Password/).fill('not this one');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Servers', level: 1 })).toBeVisible();
  expect(page.url()).toContain('region=eu');
  await check();
});

test('a server is added, and the drawer turns green when its agent arrives', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers?add=true');
  const still = await note(page);
  await dialog(page).getByRole('textbox', { name: 'Name' }).fill('not a name');
  await page.getByRole('button', { name: 'Add and show' }).click();
  await expect(dialog(page).getByRole('textbox', { name: 'Name' })).toHaveAttribute('aria-invalid', 'true');
  await dialog(page).getByRole('textbox', { name: 'Name' }).fill('pve9');
  await page.getByRole('combobox', { name: 'Storage 1' }).fill('local');
  await page.getByRole('button', { name: 'Add and show' }).click();
  await expect(page.getByText('Waiting for its agent')).toBeVisible();
  await accessible(page, 'a server that is waited for');
  agentEnrol(await page.getByLabel('Command to enrol the agent', { exact: true }).innerText());
  agent = agentRun();
  await expect(page.getByText('pve9 is connected')).toBeVisible();
  await still();
  await page.getByRole('link', { name: 'Go to pve9' }).click();
  await expect(page.getByRole('heading', { name: 'pve9', level: 1 })).toBeVisible();
  await check();
});

test('a pod is created and seen to reach running', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/provisioning/cloudpods/new');
  const still = await note(page);
  await choose(page, /^Tenant/, 'Default');
  await page.getByRole('radio', { name: /small/ }).click();
  await page.getByRole('radio', { name: /debian/ }).first().click();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel(/^Name/).fill('web-1');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByText('Where it would go')).toBeVisible();
  await page.getByRole('button', { name: 'Create the CloudPod' }).click();
  await expect(page.getByRole('main').getByText('Succeeded').first()).toBeVisible();
  await page.getByRole('link', { name: 'Open web-1' }).click();
  await expect(page.getByRole('heading', { name: 'web-1', level: 1 })).toBeVisible();
  await expect(page.getByText('Running', { exact: true }).first()).toBeVisible();
  await still();
  await check();
});

test('a job that fails again and again is shown with its reason, and succeeds when it is tried again', async ({ browser }) => {
  await fault('POST', { path: '/nodes/*/qemu/*/clone', method: 'POST', action: { do: 'status', status: 500, reason: 'storage is on fire' } });
  const made = await api('POST', '/api/admin/hosting/cloudpods', {
    name: `unlucky-${Date.now()}`,
    plan: 'small',
    image: 'debian',
    placement: { server: 'pve9' },
  });
  const { id } = made.job as { id: string };
  const job = async () => (await api('GET', `/api/provisioning/jobs/${id}`)) as { attempt: number; state: string };
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, `/provisioning/jobs?job=${id}`);
  const still = await note(page);
  await expect(dialog(page).getByText(/storage is on fire/).first()).toBeVisible();
  const again = dialog(page).getByRole('button', { name: 'Try again now' });
  await expect(again).toBeVisible();
  await accessible(page, 'a job that fails');
  // While it fails it waits again and again, ever longer: a press that comes while it is at work is refused, and the next one is not.
  let before = 0;
  await expect(async () => {
    before = (await job()).attempt;
    const [answer] = await Promise.all([page.waitForResponse(/\/retry$/), again.click()]);
    expect(answer.status()).toBe(202);
  }).toPass();
  await expect.poll(async () => (await job()).attempt, 'it was tried').toBeGreaterThan(before);
  await fault('DELETE');
  // Its own next try may come first.
  const succeeded = dialog(page).getByText('Succeeded', { exact: true }).first();
  await expect(async () => {
    if (await again.isVisible()) await again.click({ timeout: 1000 });
    await expect(succeeded).toBeVisible({ timeout: 5000 });
  }).toPass();
  expect(await job()).toMatchObject({ state: 'succeeded', error: null });
  await still();
  await check();
});

test('a job that has failed is asked for again, and succeeds', async ({ browser }) => {
  const asked = { name: `stopped-${Date.now()}`, plan: 'small', image: 'debian', placement: { server: 'pve9' } };
  const { id } = (await api('POST', '/api/admin/hosting/cloudpods', asked)).cloudpod as { id: string };
  const isPod = (state: object) => expect.poll(() => api('GET', `/api/provisioning/cloudpods/${id}`)).toMatchObject(state);
  await isPod({ state: 'active', observed_power: 'running' });
  await api('POST', `/api/admin/hosting/cloudpods/${id}/stop`, {});
  await isPod({ observed_power: 'stopped' });
  // A refusal does not change by trying: the job is over with it.
  const reason = 'permission check failed (VM.PowerMgmt)';
  await fault('POST', { path: '/nodes/*/qemu/*/status/start', method: 'POST', action: { do: 'status', status: 403, reason } });
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, `/provisioning/cloudpods/${id}`);
  const still = await note(page);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  const corner = page.getByRole('region', { name: 'Jobs begun here' });
  await expect(corner.getByText('Failed', { exact: true })).toBeVisible();
  await corner.getByRole('link', { name: 'Details' }).click();
  await expect(dialog(page).getByText(/VM\.PowerMgmt/).first()).toBeVisible();
  await expect(dialog(page).getByRole('button', { name: 'Try again now' })).toHaveCount(0);
  await accessible(page, 'a job that has failed');
  await fault('DELETE');
  await dialog(page).getByRole('link', { name: 'Ask for it again' }).click();
  await expect(page.getByRole('heading', { name: asked.name, level: 1 })).toBeVisible();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(corner.getByText('Succeeded', { exact: true })).toBeVisible();
  await expect(page.getByRole('main').getByText('Running', { exact: true }).first()).toBeVisible();
  await still();
  await check();
});

test('somebody is invited, accepts, becomes something else, is suspended, and let in again', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/users');
  await page.getByRole('button', { name: 'Invite somebody' }).click();
  await choose(page, /^Tenant/, 'Default');
  await dialog(page).getByLabel('E-mail address').fill('mia@home.example');
  await dialog(page).getByLabel('Member').click();
  await dialog(page).getByRole('button', { name: 'Invite', exact: true }).click();
  const link = await dialog(page).getByLabel('Link of the invitation').first().innerText();
  await dialog(page).getByRole('button', { name: 'Done' }).click();

  const theirs = await fresh(browser);
  await theirs.page.goto(link.slice(link.indexOf('/', link.indexOf('//') + 2)));
  await theirs.page.getByLabel(/Your name/).fill('Mia Member');
  await theirs.page.getByLabel(/^Password/).fill(PASSWORD);
  await theirs.page.getByRole('button', { name: 'Make the account' }).click();
  await expect(theirs.page.getByRole('navigation', { name: 'Modules' })).toBeVisible();

  const still = await note(page);
  const role = page.getByRole('combobox', { name: 'Role of mia@home.example' });
  await expect(role).toHaveValue('Member');
  await role.click();
  await page.getByRole('option', { name: 'Admin' }).click();
  await dialog(page).getByRole('button', { name: 'Make them Admin' }).click();
  await expect(role).toHaveValue('Admin');
  await page.getByRole('button', { name: 'Actions for mia@home.example' }).click();
  await page.getByRole('menuitem', { name: 'Suspend' }).click();
  await dialog(page).getByRole('button', { name: 'Suspend' }).click();
  await expect(page.getByRole('row', { name: /mia@home\.example/ }).getByText('Suspended', { exact: true })).toBeVisible();
  await theirs.page.goto('/');
  await expect(theirs.page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Actions for mia@home.example' }).click();
  await page.getByRole('menuitem', { name: 'Reactivate' }).click();
  await dialog(page).getByRole('button', { name: 'Reactivate' }).click();
  await expect(page.getByRole('row', { name: /mia@home\.example/ }).getByText('Active', { exact: true })).toBeVisible();
  await still();
  await signIn(theirs.page, 'mia@home.example', '/sign-in');
  await check();
  await theirs.check();
});
