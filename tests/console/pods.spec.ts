// A pod's life: what its owner and the staff do with one, each step to its end as they see it, beside what the API tells of it then.
import { expect, type Page, test } from '@playwright/test';
import { accessible, api, choose, dialog, endpointSet, fresh, type Named, note, OWNER, signIn, STAFF } from './stage';

interface Pod extends Named {
  addresses: { address: string; prefix_length: number; gateway: string; pool: Named }[];
  image: Named;
  server: Named;
  vmid: number;
  user: string;
}

interface Used {
  in_bytes: number;
  out_bytes: number;
}

/** The only one here: on the second host. */
let pod: Pod;
const of = (more = '') => `/api/admin/hosting/cloudpods/${pod.id}${more}`;
const podNow = async () => (await api('GET', `/api/provisioning/cloudpods/${pod.id}`)) as unknown as Pod;
const itemsOf = async <T>(path: string) => (await api('GET', path)).items as T[];

test.beforeAll(async () => {
  const asked = { name: `life-${Date.now()}`, plan: 'small', image: 'debian', placement: { server: 'pve2' } };
  pod = (await api('POST', '/api/admin/hosting/cloudpods', asked)).cloudpod as Pod;
  await expect.poll(podNow).toMatchObject({ state: 'active', observed_power: 'running' });
  pod = await podNow();
});

/** Somebody at the pod's page. */
async function at(page: Page, email: string, tab = ''): Promise<() => Promise<void>> {
  await signIn(page, email, `/provisioning/cloudpods/${pod.id}${tab && `?tab=${tab}`}`);
  await expect(page.getByRole('heading', { name: pod.name, level: 1 })).toBeVisible();
  return note(page);
}

/** Chooses what is to be done from the menu of that name. */
async function act(page: Page, menu: string | RegExp, what: string): Promise<void> {
  await page.getByRole('button', { name: menu, exact: true }).click();
  await page.getByRole('menuitem', { name: what, exact: true }).click();
}

/** Says yes to what is asked, once the pod's name is typed. */
async function confirmed(page: Page, label: string): Promise<void> {
  const yes = dialog(page).getByRole('button', { name: label, exact: true });
  const typed = dialog(page).getByLabel(`Type ${pod.name} to confirm`);
  await typed.fill('another');
  await expect(yes).toBeDisabled();
  await typed.fill(pod.name);
  await yes.click();
}

/** The jobs of the pod, the newest first. */
const done = ['provision'];
const words = (kind: string) => kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll('_', ' ');

/** The job that was begun just now goes well, and the API tells the same of the pod's newest one. */
async function goesWell(page: Page, kind: string): Promise<void> {
  done.unshift(kind);
  const jobs = page.getByRole('region', { name: 'Jobs begun here' }).getByRole('status');
  const job = jobs.filter({ has: page.getByText(words(kind), { exact: true }) });
  await expect(job).toContainText('Succeeded');
  expect((await itemsOf(`/api/provisioning/jobs?cloudpod_id=${pod.id}&limit=1`))[0]).toMatchObject({ kind, state: 'succeeded' });
}

/** The first that is said of it, beside its name. */
const runs = (page: Page) => expect(page.getByRole('main').getByText('Running', { exact: true }).first()).toBeVisible();

/** What the pod's page says of this, wanted and seen. */
const beside = (page: Page, what: string) =>
  page.getByRole('table', { name: 'Desired and observed' }).getByRole('row', { name: what }).getByRole('cell');

const UNITS = ['B', 'KiB', 'MiB', 'GiB'];

/** The bytes of `1.5 KiB`. */
function bytesOf(told: string): number {
  const [figure = '', unit = ''] = told.split(' ');
  return Number(figure.replaceAll(',', '')) * 1024 ** UNITS.indexOf(unit);
}

/** What is told with one figure after the point is one of these, or between them. */
function isBetween(told: string, least: number, most: number): void {
  expect(bytesOf(told)).toBeGreaterThanOrEqual(least * 0.95);
  expect(bytesOf(told)).toBeLessThanOrEqual(most * 1.05);
}

test('its owner takes a snapshot, goes back to it, and deletes it', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const still = await at(page, OWNER, 'snapshots');
  await page.getByRole('button', { name: 'Take a snapshot' }).click();
  await dialog(page).getByLabel(/^Name/).fill('before-upgrade');
  await dialog(page).getByLabel('Description').fill('as it was');
  await accessible(page, 'the form of a snapshot');
  await dialog(page).getByRole('button', { name: 'Take it' }).click();
  await goesWell(page, 'snapshot');
  const row = page.getByRole('table', { name: 'Snapshots' }).getByRole('row', { name: /before-upgrade/ });
  await expect(row.getByText('Ready', { exact: true })).toBeVisible();
  await expect(row.getByText('as it was')).toBeVisible();
  const kept = [{ name: 'before-upgrade', description: 'as it was', state: 'ready' }];
  expect(await itemsOf(of('/snapshots'))).toMatchObject(kept);
  await act(page, 'Actions on before-upgrade', 'Roll back to it');
  await confirmed(page, 'Roll back');
  await goesWell(page, 'rollback');
  await runs(page);
  expect(await itemsOf(of('/snapshots'))).toMatchObject(kept);
  await act(page, 'Actions on before-upgrade', 'Delete');
  await dialog(page).getByRole('button', { name: 'Delete the snapshot' }).click();
  await goesWell(page, 'delete_snapshot');
  await expect(page.getByText('No snapshots')).toBeVisible();
  expect(await itemsOf(of('/snapshots'))).toEqual([]);
  await still();
  await check();
});

test('it is backed up to a storage and restored, and the backup is deleted', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const still = await at(page, STAFF, 'backups');
  await page.getByRole('button', { name: 'Back up now' }).click();
  await dialog(page).getByLabel('Note').fill('all is well');
  await dialog(page).getByLabel('Storage').fill('local');
  await accessible(page, 'the form of a backup');
  await dialog(page).getByRole('button', { name: 'Back up', exact: true }).click();
  await goesWell(page, 'backup');
  const row = page.getByRole('row', { name: /all is well/ });
  await expect(row.getByText('Ready', { exact: true })).toBeVisible();
  await expect(row.getByText('pve2, local')).toBeVisible();
  const kept = { note: 'all is well', state: 'ready', storage: 'local', server: { name: 'pve2' } };
  const [backup] = await itemsOf<{ size_bytes: number }>(of('/backups'));
  expect(backup).toMatchObject(kept);
  isBetween(await row.getByRole('cell').nth(2).innerText(), backup?.size_bytes ?? 0, backup?.size_bytes ?? 0);
  await act(page, /^Actions on the backup of/, 'Restore');
  await confirmed(page, 'Restore');
  await goesWell(page, 'restore');
  await runs(page);
  expect(await podNow()).toMatchObject({ id: pod.id, state: 'active', addresses: pod.addresses });
  await act(page, /^Actions on the backup of/, 'Delete');
  await confirmed(page, 'Delete the backup');
  await goesWell(page, 'delete_backup');
  await expect(page.getByText('No backups')).toBeVisible();
  expect(await itemsOf(of('/backups'))).toEqual([]);
  await still();
  await check();
});

test('a new size stands beside the one that it has, until it is restarted', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const still = await at(page, STAFF);
  await expect(beside(page, 'Size')).toHaveText(['As wanted', '1 vCPU, 256 MiB, 2 GiB', '1 vCPU, 256 MiB, 2 GiB']);
  await act(page, 'Actions', 'Resize');
  await dialog(page).getByText('Single figures').click();
  await dialog(page).getByLabel('vCPU').fill('2');
  await dialog(page).getByLabel('Memory').fill('512');
  await dialog(page).getByLabel('Disk').fill('3');
  await accessible(page, 'the form of a new size, in figures');
  await dialog(page).getByRole('button', { name: 'Resize' }).click();
  await goesWell(page, 'resize');
  await expect(beside(page, 'Size')).toHaveText(['Not yet', '2 vCPU, 512 MiB, 3 GiB', 'the one before']);
  const size = { vcpu: 2, memory_mib: 512, disk_gib: 3 };
  expect(await podNow()).toMatchObject({ ...size, restart_causes: ['size'] });
  const notice = page.getByRole('alert', { name: 'A restart is needed' });
  await expect(notice).toContainText('its size');
  await notice.getByRole('button', { name: 'Reboot' }).click();
  await dialog(page).getByRole('button', { name: 'Reboot' }).click();
  await goesWell(page, 'reboot');
  await expect(notice).toHaveCount(0);
  await expect(beside(page, 'Size')).toHaveText(['As wanted', '2 vCPU, 512 MiB, 3 GiB', '2 vCPU, 512 MiB, 3 GiB']);
  expect(await podNow()).toMatchObject({ ...size, restart_causes: [] });
  await still();
  await check();
});

test('rebuilt from another image it stays the same pod at the same address', async ({ browser }) => {
  const image = { name: `alpine-${Date.now()}`, os: 'alpine', default_user: 'alpine', template_vmid: 9000 };
  await api('POST', '/api/platform/images', image);
  const { page, check } = await fresh(browser);
  const still = await at(page, OWNER);
  await act(page, 'Actions', 'Rebuild');
  await choose(page, /^Image/, new RegExp(image.name));
  await confirmed(page, `Rebuild ${pod.name}`);
  await goesWell(page, 'rebuild');
  const [address] = pod.addresses;
  await expect(page.getByText(`small · ${image.name} · ${address?.address}`)).toBeVisible();
  await expect(page.getByText('Of the user alpine')).toBeVisible();
  expect(page.url()).toContain(pod.id);
  await expect(beside(page, 'Power')).toHaveText(['As wanted', 'running', 'running']);
  const { id, addresses } = pod;
  expect(await podNow()).toMatchObject({ id, addresses, image: { name: image.name }, user: 'alpine', state: 'active' });
  await still();
  await check();
});

test('it is moved to a host of another cluster, once that takes VMs of others', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const still = await at(page, STAFF);
  await expect(beside(page, 'Place').last()).toHaveText(/^pve2, VM/);
  await act(page, 'Actions', 'Move to another server');
  await choose(page, /^To/, /^pve1/);
  const missing = dialog(page).getByRole('alert').filter({ hasText: 'is not in the same cluster' });
  await expect(missing).toContainText('Set it on its Agent tab first');
  await accessible(page, 'the form of a move that cannot be');
  await dialog(page).getByRole('button', { name: 'Move', exact: true }).click();
  await expect(dialog(page).getByRole('alert').last()).toContainText('pve1 it is in another Proxmox cluster and has no migration endpoint');
  expect(await podNow()).toMatchObject({ server: { name: 'pve2' }, moving_to: null });
  await endpointSet();
  await expect(missing).toHaveCount(0);
  await dialog(page).getByRole('button', { name: 'Move', exact: true }).click();
  await goesWell(page, 'migrate');
  const { server, vmid, addresses } = await podNow();
  expect([server.name, addresses]).toEqual(['pve1', pod.addresses]);
  const here = `pve1, VM ${vmid}`;
  await expect(beside(page, 'Place')).toHaveText(['As wanted', here, here]);
  await still();
  await check();
});

test('its addresses, its traffic and what was done to it are told', async ({ browser }) => {
  const traffic = async () => ((await api('GET', of('/traffic'))).months as Used[])[0] ?? { in_bytes: 0, out_bytes: 0 };
  await expect.poll(async () => (await traffic()).in_bytes).toBeGreaterThan(0);
  const before = await traffic();
  const { page, check } = await fresh(browser);
  const still = await at(page, OWNER, 'network');
  const addresses = page.getByRole('table', { name: 'Addresses' }).getByRole('row');
  await expect(addresses).toHaveCount(1 + pod.addresses.length);
  for (const { address, prefix_length, gateway, pool } of pod.addresses) {
    await expect(addresses.filter({ hasText: address }).getByRole('cell')).toHaveText([`${address}/${prefix_length}`, gateway, pool.name]);
  }
  const plot = page.getByRole('figure', { name: 'Traffic by month' });
  await expect(plot.getByRole('img', { name: /Received: lowest .+ Sent: lowest / })).toBeVisible();
  await plot.getByRole('button', { name: 'Traffic by month: show a table' }).click();
  const [received = '', sent = ''] = (await plot.getByRole('row').nth(1).getByRole('cell').allInnerTexts()).slice(1);
  const after = await traffic();
  isBetween(received, before.in_bytes, after.in_bytes);
  isBetween(sent, before.out_bytes, after.out_bytes);
  await page.getByRole('tab', { name: 'Activity' }).click();
  const jobs = await itemsOf<{ kind: string }>(`/api/provisioning/jobs?cloudpod_id=${pod.id}`);
  expect(jobs.map(({ kind }) => kind)).toEqual(done);
  const table = page.getByRole('table', { name: 'Jobs' });
  await expect(table.getByRole('link')).toHaveText(done.map(words));
  await expect(table.getByText('Succeeded', { exact: true })).toHaveCount(done.length);
  const records = await itemsOf<{ action: string }>(`/api/admin/audit?target_kind=cloudpod&target_id=${pod.id}`);
  const rows = page.getByRole('table', { name: 'What was done to it' }).getByRole('row');
  await expect(rows).toHaveText(records.map(({ action }) => new RegExp(`^${action}`)));
  await still();
  await check();
});

test('its owner deletes it, and it is gone from the list', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const still = await at(page, OWNER);
  await act(page, 'Actions', 'Delete');
  await confirmed(page, `Delete ${pod.name}`);
  await goesWell(page, 'destroy');
  await expect(page.getByRole('main').getByText('Deleted', { exact: true }).first()).toBeVisible();
  await page.getByRole('navigation', { name: 'Modules' }).getByRole('link', { name: 'CloudPods' }).click();
  await expect(page.getByRole('link', { name: 'db-1', exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: pod.name, exact: true })).toHaveCount(0);
  expect(await itemsOf(`/api/provisioning/cloudpods?name_prefix=${pod.name}`)).toEqual([]);
  expect(await podNow()).toMatchObject({ state: 'deleted', addresses: [] });
  await still();
  await check();
});
