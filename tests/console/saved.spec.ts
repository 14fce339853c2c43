// What somebody changes in a form is saved: it is shown so afterwards, and the API says so too. What somebody changed in Proxmox itself
// is found, and put right. All of it is put back or taken away again.
import type { ChildProcess } from 'node:child_process';
import { expect, type Locator, type Page, test } from '@playwright/test';
import { accessible, agentRun, api, byHand, dialog, first, fresh, STAFF, settled, signIn } from './stage';

interface Check {
  ok: boolean;
  name: string;
  holds: string;
  items: { subject: string; detail: string; cure: string }[];
}

/** What the API's list at `path` has by this name. */
async function named(path: string, name: string): Promise<Record<string, unknown> | undefined> {
  return ((await api('GET', path)).items as Record<string, unknown>[]).find((one) => one.name === name);
}

const rowOf = (page: Page, name: string): Locator => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });

/** Presses what saves a drawer's form, which closes it then. */
async function save(page: Page, label: string): Promise<void> {
  await dialog(page).getByRole('button', { name: label, exact: true }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

/** Deletes what is called so, once its name was typed. The drawer from which it was asked stays behind the question. */
async function remove(page: Page, name: string, title: string): Promise<void> {
  const asked = page.getByRole('dialog', { name: title });
  const confirm = asked.getByRole('button', { name: /^Delete the / });
  await expect(confirm).toBeDisabled();
  await asked.getByLabel(`Type ${name} to confirm`).fill(name);
  await confirm.click();
  await expect(asked).toHaveCount(0);
}

/** The one that is stopped in Proxmox itself, and put right by the last test. */
let pod: { id: string; vmid: number };
let agent: ChildProcess | undefined;
test.beforeAll(async () => {
  // What the third host told last may be older than what was done there since: while its agent is away, that differs.
  agent = agentRun();
  const { id } = await first('/api/provisioning/cloudpods?name_prefix=db-2');
  pod = (await api('GET', `/api/provisioning/cloudpods/${id}`)) as unknown as typeof pod;
  // What differs counts once it has lasted for a minute: meanwhile there is all the rest to look at.
  await byHand('pve2', pod.vmid, 'stop');
  await expect.poll(() => api('GET', `/api/provisioning/cloudpods/${id}`)).toMatchObject({ observed_power: 'stopped' });
});

test.afterAll(() => agent?.kill());

test('a server', async ({ browser }) => {
  const { id, region, labels, cpu_overcommit } = await api('GET', '/api/platform/servers/pve1');
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers/pve1?open=edit');
  await dialog(page).getByLabel('Region').fill('north');
  await dialog(page)
    .getByRole('textbox', { name: 'Labels' })
    .or(dialog(page).getByRole('combobox', { name: 'Labels' }))
    .fill('disk=ssd');
  await page.keyboard.press('Enter');
  await dialog(page).getByLabel('vCPUs per thread').fill('2.5');
  await save(page, 'Save');
  const saved = await api('GET', `/api/platform/servers/${id}`);
  expect(saved).toMatchObject({ region: 'north', labels: { ...(labels as object), disk: 'ssd' }, cpu_overcommit: 2.5 });
  const { vcpu } = saved.capacity as { vcpu: number };
  await page.goto('/servers?label=disk%3Dssd&region=north');
  // What is not so labelled is left out.
  await expect(page.getByRole('main').locator('[data-row-link]')).toHaveText(['pve1']);
  await expect(rowOf(page, 'pve1')).toContainText('north');
  await expect(rowOf(page, 'pve1').getByRole('cell', { name: `/ ${vcpu}` })).toBeVisible();
  await api('PATCH', `/api/platform/servers/${id}`, { region, labels, cpu_overcommit });
  await check();
});

test("a customer's profile", async ({ browser }) => {
  const { id, name } = await first('/api/admin/tenants?name_prefix=Default');
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, `/customers?customer=${id}&part=profile`);
  await dialog(page).getByLabel('Company').fill('Example GmbH');
  await dialog(page).getByLabel('Country').fill('DE');
  await dialog(page).getByLabel('Note').fill('pays in cash');
  await dialog(page).getByRole('button', { name: 'Save the profile' }).click();
  await expect(page.getByText('The profile is saved')).toBeVisible();
  await expect(dialog(page).getByText('Example GmbH · DE')).toBeVisible();
  const profile = async () => (await api('GET', `/api/admin/customers/${id}`)).profile;
  expect(await profile()).toMatchObject({ company: 'Example GmbH', country: 'DE', note: 'pays in cash' });
  await page.goto('/customers');
  await expect(rowOf(page, name)).toContainText('Example GmbH · DE');
  await page.goto(`/customers?customer=${id}&part=profile`);
  await dialog(page).getByRole('button', { name: 'Delete the profile' }).click();
  await remove(page, name, `Delete the profile of ${name}`);
  await expect(dialog(page).getByText('No profile yet')).toBeVisible();
  expect(await profile()).toMatchObject({ company: '', country: '', note: '' });
  await check();
});

test('a plan', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/settings/plans?add=true');
  const plan = () => named('/api/platform/plans', 'tiny');
  await dialog(page).getByLabel('Name').fill('tiny');
  await dialog(page).getByLabel('Memory (MiB)').fill('512');
  await dialog(page).getByLabel('Price a month').fill('a lot');
  await dialog(page).getByRole('button', { name: 'Add the plan' }).click();
  await expect(dialog(page).getByText('Must be an amount in EUR, such as 4.99')).toBeVisible();
  await dialog(page).getByLabel('Price a month').fill('2.50');
  await save(page, 'Add the plan');
  expect(await plan()).toMatchObject({ vcpu: 1, memory_mib: 512, disk_gib: 10, price_minor: 250, currency: 'EUR', active: true });
  await expect(rowOf(page, 'tiny')).toContainText('512 MiB');
  await expect(rowOf(page, 'tiny')).toContainText('€2.50');
  await rowOf(page, 'tiny').getByRole('link').click();
  await dialog(page).getByLabel('Traffic a month (GiB)').fill('100');
  await dialog(page).getByRole('switch', { name: 'Active' }).click();
  await save(page, 'Save');
  await expect(rowOf(page, 'tiny')).toContainText('100 GiB');
  await expect(rowOf(page, 'tiny').getByText('Inactive')).toBeVisible();
  expect(await plan()).toMatchObject({ price_minor: 250, traffic_gib: 100, active: false });
  await rowOf(page, 'tiny').getByRole('link').click();
  await dialog(page).getByRole('button', { name: 'Delete', exact: true }).click();
  await remove(page, 'tiny', 'Delete the plan tiny');
  await expect(rowOf(page, 'tiny')).toHaveCount(0);
  expect(await plan()).toBeUndefined();
  await check();
});

test('an image', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/settings/images?add=true');
  const image = () => named('/api/platform/images', 'alpine');
  await dialog(page).getByLabel('Name').fill('alpine');
  await dialog(page).getByLabel('System').fill('Alpine 3.22');
  await dialog(page).getByLabel('User').fill('alpine');
  await dialog(page).getByRole('button', { name: 'Add the image' }).click();
  await expect(dialog(page).getByText('Say where the template is, here or for particular servers')).toBeVisible();
  await dialog(page).getByLabel('Template', { exact: true }).fill('9100');
  await save(page, 'Add the image');
  expect(await image()).toMatchObject({ os: 'Alpine 3.22', default_user: 'alpine', template_vmid: 9100, template_name: null });
  await expect(rowOf(page, 'alpine')).toContainText('VMID 9100');
  await rowOf(page, 'alpine').getByRole('link').click();
  await dialog(page).getByLabel('Template', { exact: true }).fill('alpine-3.22');
  await dialog(page).getByLabel('Least disk (GiB)').fill('3');
  await save(page, 'Save');
  await expect(rowOf(page, 'alpine')).toContainText('alpine-3.22');
  await expect(rowOf(page, 'alpine')).toContainText('3 GiB');
  expect(await image()).toMatchObject({ template_vmid: null, template_name: 'alpine-3.22', min_disk_gib: 3 });
  await rowOf(page, 'alpine').getByRole('link').click();
  await dialog(page).getByRole('button', { name: 'Delete', exact: true }).click();
  await remove(page, 'alpine', 'Delete the image alpine');
  await expect(rowOf(page, 'alpine')).toHaveCount(0);
  expect(await image()).toBeUndefined();
  await check();
});

test('an IP pool', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/settings/ip-pools?add=true');
  const pool = () => named('/api/platform/ip-pools', 'spare');
  await dialog(page).getByRole('textbox', { name: 'Name', exact: true }).fill('spare');
  await dialog(page).getByRole('textbox', { name: 'Subnet' }).fill('192.0.2.0/33');
  await dialog(page).getByLabel('Gateway').fill('192.0.2.1');
  // Nobody draws from it by chance.
  await dialog(page).getByRole('switch', { name: 'Public' }).click();
  await dialog(page).getByRole('button', { name: 'Add the pool' }).click();
  await expect(dialog(page).getByRole('textbox', { name: 'Subnet' })).toHaveAttribute('aria-invalid', 'true');
  await dialog(page).getByRole('textbox', { name: 'Subnet' }).fill('192.0.2.0/24');
  await dialog(page).getByRole('button', { name: 'Add the pool' }).click();
  await expect(page.getByRole('heading', { name: 'spare', level: 1 })).toBeVisible();
  expect(await pool()).toMatchObject({ first: '192.0.2.2', last: '192.0.2.254', gateway: '192.0.2.1', free: 253, public: false });
  const range = page.getByRole('region', { name: 'Range' });
  await expect(range).toContainText('0 of 253');
  await page.getByRole('button', { name: 'Change' }).click();
  await dialog(page).getByLabel('Last').fill('192.0.2.100');
  await dialog(page).getByLabel('VLAN').fill('42');
  await save(page, 'Save');
  await expect(range).toContainText('Last192.0.2.100');
  await expect(range).toContainText('VLAN42');
  expect(await pool()).toMatchObject({ last: '192.0.2.100', vlan: 42, free: 99 });
  await page.getByRole('button', { name: 'Delete' }).click();
  await remove(page, 'spare', 'Delete the pool spare');
  await expect(page.getByRole('heading', { name: 'IP pools', level: 1 })).toBeVisible();
  await expect(rowOf(page, 'lan')).toBeVisible();
  await expect(rowOf(page, 'spare')).toHaveCount(0);
  expect(await pool()).toBeUndefined();
  await check();
});

test('a webhook, of which a test tells that it does not arrive', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/settings/webhooks?add=true');
  const webhook = () => named('/api/admin/webhooks', 'nobody');
  await dialog(page).getByLabel('Name').fill('nobody');
  await dialog(page).getByLabel('Address').fill('https://10.0.0.1/mpanel');
  await dialog(page).getByRole('button', { name: 'Add the webhook' }).click();
  const refused = /10\.0\.0\.1 is no public address: webhooks go there only if the platform's configuration allows it/;
  await expect(dialog(page).getByText(refused)).toBeVisible();
  await accessible(page, 'a webhook that is refused');
  expect(await webhook()).toBeUndefined();
  await dialog(page).getByLabel('Address').fill('https://nobody.invalid/mpanel');
  // Of nothing that happens meanwhile.
  await dialog(page)
    .getByRole('textbox', { name: 'Events' })
    .or(dialog(page).getByRole('combobox', { name: 'Events' }))
    .fill('backup.*');
  await page.keyboard.press('Enter');
  await dialog(page).getByRole('button', { name: 'Add the webhook' }).click();
  await expect(dialog(page).getByLabel('Secret of the webhook', { exact: true })).toHaveText(/^whsec_/);
  await save(page, 'Done');
  const { id, ...made } = (await webhook()) ?? {};
  expect(made).toMatchObject({ url: 'https://nobody.invalid/mpanel', events: ['backup.*'], active: true });
  await rowOf(page, 'nobody').getByRole('link').click();
  await page.getByRole('button', { name: 'Send a test' }).click();
  const tries = dialog(page).getByRole('table', { name: 'Tries' });
  await expect(tries.locator('tbody tr')).not.toHaveCount(0);
  const { items } = await api('GET', `/api/admin/webhooks/${id}/deliveries`);
  const [{ id: delivery, event }] = items as [{ id: string; event: string }];
  const { attempts } = await api('GET', `/api/admin/webhooks/${id}/deliveries/${delivery}`);
  const [{ error }] = attempts as [{ error: string }];
  await expect(tries).toContainText(`None: ${error}`);
  await expect(dialog(page).getByRole('heading', { name: event })).toBeVisible();
  await accessible(page, 'a delivery that did not arrive');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Change' }).click();
  await dialog(page).getByRole('switch', { name: 'Active' }).click();
  await save(page, 'Save');
  await expect(page.getByRole('main').getByText('Inactive', { exact: true })).toBeVisible();
  expect(await webhook()).toMatchObject({ active: false });
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await remove(page, 'nobody', 'Delete the webhook nobody');
  await expect(page.getByRole('heading', { name: 'Webhooks', level: 1 })).toBeVisible();
  await expect(rowOf(page, 'nobody')).toHaveCount(0);
  expect(await webhook()).toBeUndefined();
  await check();
});

test("a tenant's quotas", async ({ browser }) => {
  const { id } = await first('/api/admin/tenants?name_prefix=Default');
  const quotas = async () => (await api('GET', `/api/admin/tenants/${id}/quotas`)) as { vcpu: { limit: number | null; used: number } };
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, `/settings/tenants/${id}`);
  const { used } = (await quotas()).vcpu;
  const bar = page.getByRole('progressbar', { name: /^vCPU: / });
  const limit = async (typed: string) => {
    await page.getByRole('button', { name: 'Change the quotas' }).click();
    await dialog(page).getByLabel('vCPU').fill(typed);
    await save(page, 'Save the quotas');
  };
  await limit(`${used * 2}`);
  await expect(bar).toHaveAccessibleName('vCPU: 50 % used');
  await expect(page.getByText(`${used} of ${used * 2}`)).toBeVisible();
  expect((await quotas()).vcpu).toEqual({ limit: used * 2, used });
  await limit('');
  await expect(bar).toHaveCount(0);
  expect((await quotas()).vcpu.limit).toBeNull();
  await check();
});

test('what needs attention is listed with what to do, and leads to where it is done', async ({ browser }) => {
  const wrong = async () => ((await api('GET', '/api/platform/invariants')).checks as Check[]).filter(({ ok }) => !ok);
  const subject = `VM ${pod.vmid} on server pve2`;
  // Of one kind, the first three.
  const listed = async () => (await wrong()).flatMap(({ items }) => items.slice(0, 3)).map((item) => item.subject.replace(/ \(.*/, ''));
  await expect.poll(listed, { timeout: 120_000 }).toContain(subject);
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF);
  const attention = page.getByRole('region', { name: 'Needs attention' });
  await expect(attention.getByText(/of \d+ checks do not hold/)).toBeVisible();
  for (const { holds, items } of await wrong()) {
    await expect(attention.getByText(`Should be: ${holds}`)).toBeVisible();
    for (const { detail, cure } of items.slice(0, 3)) {
      const item = attention.getByRole('listitem').filter({ hasText: detail });
      await expect(item).toContainText(cure.replaceAll('`', ''));
    }
  }
  await expect(attention.getByRole('heading', { name: /^VMs are not as they are wanted/ })).toBeVisible();
  await accessible(page, 'what needs attention');
  await attention.getByRole('link', { name: subject }).click();
  await expect(page.getByRole('heading', { name: 'pve2', level: 1 })).toBeVisible();
  const row = page.getByRole('row', { name: /Power differs/ }).filter({ has: page.getByRole('link', { name: 'db-2', exact: true }) });
  await expect(row).toContainText('Wanted: power running');
  await expect(row).toContainText('Seen: power stopped');
  await row.getByRole('button', { name: 'Put it right' }).click();
  await dialog(page).getByRole('button', { name: 'Put it right' }).click();
  await expect(row).toHaveCount(0);
  await expect.poll(() => api('GET', `/api/provisioning/cloudpods/${pod.id}`)).toMatchObject({ observed_power: 'running' });
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await settled(page, 'the overview');
  await expect(page.getByRole('link', { name: subject })).toHaveCount(0);
  expect(await listed()).not.toContain(subject);
  await check();
});
