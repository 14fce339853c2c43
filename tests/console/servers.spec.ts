// What is done to a host: its connection is tested, it is locked and opened, emptied, and goes away. It is the third one, whose Proxmox VE
// can be told to fail, and whose agent is this file's to end.
import type { ChildProcess } from 'node:child_process';
import { expect, type Page, test } from '@playwright/test';
import { accessible, agentRun, api, dialog, endpointSet, fault, first, fresh, note, OWNER, signIn, STAFF } from './stage';

let agent: ChildProcess | undefined;
test.beforeAll(async () => {
  agent = agentRun();
  await expect.poll(async () => (await api('GET', '/api/platform/servers/pve9')).connection).toMatchObject({ state: 'online' });
});
test.afterAll(() => agent?.kill());

/** What is said of it beside its name. */
const pill = (page: Page, text: string) => page.getByRole('main').getByText(text, { exact: true }).first();

/** A pod on the third host; pinned to it, where it may not be moved from there. */
async function pod(name: string, isPinned: boolean): Promise<string> {
  const asked = { name: `${name}-${Date.now()}`, plan: 'small', image: 'debian', placement: { server: 'pve9' } };
  const { id } = (await api('POST', '/api/admin/hosting/cloudpods', asked)).cloudpod as { id: string };
  await expect.poll(() => api('GET', `/api/provisioning/cloudpods/${id}`)).toMatchObject({ state: 'active', observed_power: 'running' });
  if (!isPinned) await api('PATCH', `/api/admin/hosting/cloudpods/${id}`, { server: null });
  return asked.name;
}

test('a connection is tested: what is in order is said, and of what is not, what to do', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers/pve9');
  const section = page.getByRole('region', { name: 'Connection' });
  await section.getByRole('button', { name: 'Test the connection' }).click();
  await expect(section.getByText(/^All \d+ are in order, in [\d,]+ ms$/)).toBeVisible();
  const lines = section.getByRole('listitem');
  const count = await lines.count();
  expect(count).toBeGreaterThan(5);
  await expect(section.getByRole('img', { name: 'In order' })).toHaveCount(count);
  const reason = 'permission check failed (VM.Allocate)';
  await fault('POST', { path: '/nodes/*/storage*', method: 'GET', action: { do: 'status', status: 403, reason } });
  await section.getByRole('button', { name: 'Test again' }).click();
  await expect(section.getByText(/^\d+ of \d+ need somebody, in/)).toBeVisible();
  const failed = lines.filter({ has: page.getByRole('img', { name: 'Failed' }) }).first();
  // Its name, what is wrong, what to do, and how long it took.
  await expect(failed.locator('p')).toHaveCount(3);
  // Its lines come one by one: each later than the one before.
  const delays = await lines.evaluateAll((all) => all.map((line) => Number.parseFloat(getComputedStyle(line).animationDelay)));
  expect(delays).toHaveLength(count);
  expect(delays.slice(1).every((delay, at) => delay > (delays[at] ?? 0)), `delays of ${delays} s`).toBe(true);
  await expect.poll(() => section.evaluate((element) => element.getAnimations({ subtree: true }).length)).toBe(0);
  await accessible(page, 'a connection test that fails');
  await fault('DELETE');
  await check();
});

test('a server is locked with a reason and opened again, which a list shows by itself', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers/pve9');
  const list = await page.context().newPage();
  await list.goto('/servers');
  const row = list.getByRole('row', { name: /pve9/ });
  await expect(row.getByText('Open', { exact: true })).toBeVisible();
  const still = [await note(page), await note(list)];
  await page.getByRole('button', { name: 'Lock', exact: true }).click();
  await dialog(page).getByLabel('Reason').fill('new memory');
  await dialog(page).getByRole('button', { name: 'Lock pve9' }).click();
  await expect(pill(page, 'Locked')).toBeVisible();
  await expect(page.getByText('“new memory”').first()).toBeVisible();
  await expect(row.getByText('Locked', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await dialog(page).getByLabel('Reason').fill('it is in');
  await dialog(page).getByRole('button', { name: 'Open pve9' }).click();
  await expect(pill(page, 'Open')).toBeVisible();
  for (const one of still) await one();
  await check();
});

test('a server is drained after its name was typed: how far it is, what stays and why, until it is cancelled', async ({ browser }) => {
  await endpointSet();
  const [mover, pinned] = [await pod('mover', false), await pod('pinned', true)];
  // Until it is let go, Proxmox is in the midst of the move.
  await fault('POST', { kind: 'qmigrate', action: { do: 'hold' } }, 'task-faults');
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers/pve9?open=drain');
  const list = await page.context().newPage();
  await list.goto('/servers');
  const inList = list.getByRole('row', { name: /pve9/ });
  await expect(inList.getByText('Open', { exact: true })).toBeVisible();
  const still = [await note(page), await note(list)];
  const begin = page.getByRole('button', { name: 'Drain pve9' });
  await expect(dialog(page).getByRole('row', { name: new RegExp(pinned) }).getByText('Stays')).toBeVisible();
  await expect(dialog(page).getByRole('row', { name: new RegExp(mover) }).getByText('To another cluster')).toBeVisible();
  await expect(begin).toBeDisabled();
  await accessible(page, 'the preview of a drain');
  await dialog(page).getByLabel('Reason').fill('new board');
  await page.getByLabel(/Type pve9/).fill('pve9');
  await begin.click();
  await expect(page.getByRole('tab', { name: 'Drain' })).toHaveAttribute('aria-selected', 'true');
  const section = page.getByRole('region', { name: 'Drain' });
  await expect(section.getByText(/moving now/)).toBeVisible();
  await expect(section.getByText(/“new board”/)).toBeVisible();
  const row = (name: string) => page.getByRole('table', { name: 'Pods of the drain' }).getByRole('row', { name: new RegExp(name) });
  await expect(row(mover).getByText('Moves', { exact: true })).toBeVisible();
  await expect(row(mover).getByRole('progressbar')).toBeVisible();
  await accessible(page, 'a drain under way');
  await expect(inList.getByText('Draining', { exact: true })).toBeVisible();
  await fault('DELETE');
  await expect(row(mover).getByText('Moved', { exact: true })).toBeVisible();
  await expect(row(mover).getByText('pve1')).toBeVisible();
  await expect(section.getByText(/^\d moved/)).toBeVisible();
  await expect(row(pinned).getByText('Cannot be moved', { exact: true })).toBeVisible();
  await expect(row(pinned).getByText(/pinned/i).last()).toBeVisible();
  await page.getByRole('button', { name: 'Cancel the drain' }).click();
  await dialog(page).getByRole('button', { name: 'Cancel the drain' }).click();
  await expect(section.getByText('Cancelled', { exact: true })).toBeVisible();
  await expect(row(pinned).getByText('Left where it is')).toBeVisible();
  await expect(pill(page, 'Locked')).toBeVisible();
  await expect(inList.getByText('Locked', { exact: true })).toBeVisible();
  for (const one of still) await one();
  await api('POST', '/api/platform/servers/pve9/status', { status: 'online' });
  await check();
});

test('since when what is shown is old is said where a host is away', async ({ browser }) => {
  const { id } = await first('/api/provisioning/cloudpods?name_prefix=pinned-');
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers/pve9');
  const pod = await page.context().newPage();
  await pod.goto(`/provisioning/cloudpods/${id}`);
  const theirs = await fresh(browser);
  await theirs.page.clock.install();
  await signIn(theirs.page, OWNER, `/provisioning/cloudpods/${id}`);
  for (const one of [pod, theirs.page]) {
    await expect(pill(one, 'Running')).toBeVisible();
    await expect(one.getByText(/Stale since/)).toHaveCount(0);
  }
  const still = [await note(page), await note(pod), await note(theirs.page)];
  agent?.kill();
  for (const one of [page, pod]) {
    const stale = one.getByRole('main').getByText(/Stale since/).first();
    await expect(stale).toBeVisible({ timeout: 120_000 });
    await expect(stale.locator('time')).toHaveAttribute('datetime', /^\d{4}-/);
  }
  await expect(pill(page, 'Offline')).toBeVisible();
  await accessible(pod, 'a pod whose host is away');
  // Customers are told of no hosts: their page looks by itself, once a minute.
  await theirs.page.clock.fastForward(60_000);
  const told = theirs.page.getByRole('main').getByText(/Stale since/).first();
  const { stale_since } = await api('GET', `/api/provisioning/cloudpods/${id}`);
  await expect(told.locator('time')).toHaveAttribute('datetime', `${stale_since}`);
  for (const one of still) await one();
  await theirs.check();
  await check();
});
