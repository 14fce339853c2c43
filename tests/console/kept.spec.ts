// What must not be lost: what somebody types, whose data they look at, their sign-in, and the change of another.
import { expect, type Page, type Route, test } from '@playwright/test';
import { api, first, fresh, signIn, STAFF } from './stage';

/** The tenants of the requests that the page makes from now on. */
function tenantsAsked(page: Page): string[] {
  const asked: string[] = [];
  page.on('request', (request) => {
    const tenant = request.headers()['x-tenant-id'];
    if (tenant) asked.push(tenant);
  });
  return asked;
}

test("pointing at a tenant's link changes nothing, and pressing it does", async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const tenant = await first('/api/admin/tenants');
  await signIn(page, STAFF, `/settings/tenants/${tenant.id}`);
  const name = page.getByRole('textbox', { name: 'Name' });
  await name.fill('not saved yet');
  const asked = tenantsAsked(page);
  const link = page.getByRole('link', { name: 'Look as they do' });
  const ahead = page.waitForResponse(/OverviewPage/);
  await link.hover();
  await ahead;
  await expect(name).toHaveValue('not saved yet');
  await expect(page.getByRole('button', { name: 'Shown: Platform. Choose a tenant' })).toBeVisible();
  expect(asked, 'nothing is asked of the tenant').toEqual([]);
  expect(await page.evaluate(() => localStorage.getItem('mpanel.tenant'))).toBeNull();
  await link.click();
  await expect(page.getByRole('button', { name: `Shown: ${tenant.name}. Choose a tenant` })).toBeVisible();
  await expect.poll(() => asked).toContain(tenant.id);
  await check();
});

test('a firewall that two people change loses neither', async ({ browser }) => {
  const { id } = await first('/api/provisioning/cloudpods?name_prefix=db-2');
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, `/provisioning/cloudpods/${id}?tab=network`);
  await page.getByRole('region', { name: 'Firewall' }).getByRole('button', { name: 'Change' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Add a rule' }).click();
  await dialog.getByLabel('Comment').fill('mine');
  const theirs = { direction: 'in', action: 'accept', protocol: 'tcp', destination_ports: '22', comment: 'theirs' };
  await api('PUT', `/api/admin/hosting/cloudpods/${id}/firewall`, { rules: [theirs] });
  await expect(dialog.getByText('Somebody else changed it meanwhile.')).toBeVisible();
  await expect(dialog.getByLabel('Comment')).toHaveValue('mine');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await page.getByRole('dialog', { name: 'Somebody else changed it' }).getByRole('button', { name: 'Load theirs' }).click();
  await expect(dialog.getByLabel('Comment')).toHaveValue('theirs');
  await dialog.getByRole('button', { name: 'Add a rule' }).click();
  await dialog.getByLabel('Comment').last().fill('mine');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await expect(dialog).toHaveCount(0);
  const { rules } = (await api('GET', `/api/admin/hosting/cloudpods/${id}/firewall`)) as { rules: { comment: string }[] };
  expect(rules.map(({ comment }) => comment)).toEqual(['theirs', 'mine']);
  await check();
});

test('an outage while the sign-in is renewed signs nobody out', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/settings/tenants?add=true');
  const name = page.getByRole('dialog').getByRole('textbox', { name: 'Name' });
  await name.fill('typed with care');
  // The access token is over, and the refresh meets a proxy that finds nobody behind it.
  await page.context().clearCookies({ name: /access/ });
  await page.route('**/api/auth/refresh', (route) => route.fulfill({ status: 503, body: 'nobody there' }));
  await page.getByRole('dialog').getByRole('button', { name: /^(Make|Add|Create)/ }).click();
  await expect(page.getByRole('dialog').getByText(/answered 503/)).toBeVisible();
  await expect(name).toHaveValue('typed with care');
  await page.unroute('**/api/auth/refresh');
  await page.getByRole('dialog').getByRole('button', { name: /^(Make|Add|Create)/ }).click();
  await expect(page.getByRole('heading', { name: 'typed with care', level: 1 })).toBeVisible();
  await check();
});

test('a tab that waits at the sign-in goes on when another has signed in', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await page.goto('/servers?region=eu');
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  const other = await page.context().newPage();
  await signIn(other, STAFF);
  // Without a screen all tabs have the focus always.
  await page.evaluate(() => window.dispatchEvent(new Event('focus')));
  await expect(page.getByRole('heading', { name: 'Servers', level: 1 })).toBeVisible();
  expect(page.url()).toContain('region=eu');
  await check();
});

test('what changes before the stream of events begins is shown, and a stream that falls silent is opened anew', async ({ browser }) => {
  const { id, name } = await first('/api/provisioning/cloudpods?name_prefix=db-2');
  const { page, check } = await fresh(browser);
  await page.clock.install();
  const held: Route[] = [];
  await page.route('**/api/events', (route) => void held.push(route));
  await signIn(page, STAFF, '/provisioning/cloudpods');
  await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
  await expect.poll(() => held.length).toBe(1);
  await api('PATCH', `/api/admin/hosting/cloudpods/${id}`, { name: 'renamed' });
  // Nothing has come over it for half a minute: it is dead, as after a sleep.
  await page.clock.fastForward(31_000);
  await expect.poll(() => held.length).toBe(2);
  await held[1]?.continue();
  await expect(page.getByRole('link', { name: 'renamed', exact: true })).toBeVisible();
  await api('PATCH', `/api/admin/hosting/cloudpods/${id}`, { name });
  await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
  await check();
});

test('what is shown of one thing is read anew by events of that thing alone', async ({ browser }) => {
  const shown = await first('/api/provisioning/cloudpods?name_prefix=db-1');
  const other = await first('/api/provisioning/cloudpods?name_prefix=db-2');
  const { page, check } = await fresh(browser);
  const reads: string[] = [];
  page.on('request', (request) => {
    if (request.url().includes(`${shown.id}/firewall`)) reads.push(request.method());
  });
  await signIn(page, STAFF, `/provisioning/cloudpods/${shown.id}?tab=network`);
  await expect(page.getByText('Live: changes appear by themselves')).toBeAttached();
  await expect(page.getByRole('region', { name: 'Firewall' }).getByRole('button', { name: 'Change' })).toBeVisible();
  const before = reads.length;
  await api('PATCH', `/api/admin/hosting/cloudpods/${shown.id}`, { name: 'here' });
  await expect(page.getByRole('heading', { name: 'here', level: 1 })).toBeVisible();
  await expect.poll(() => reads.length).toBeGreaterThan(before);
  const list = await page.context().newPage();
  await list.goto('/provisioning/cloudpods');
  await expect(list.getByRole('link', { name: other.name, exact: true })).toBeVisible();
  const after = reads.length;
  await api('PATCH', `/api/admin/hosting/cloudpods/${other.id}`, { name: 'elsewhere' });
  await expect(list.getByRole('link', { name: 'elsewhere', exact: true })).toBeVisible();
  expect(reads).toHaveLength(after);
  for (const { id, name } of [shown, other]) await api('PATCH', `/api/admin/hosting/cloudpods/${id}`, { name });
  await check();
});

test('a change whose answer was lost is made once, however often one presses', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/settings/tenants?add=true');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name' }).fill('made but once');
  await page.route('**/api/admin/tenants', async (route) => {
    await route.fetch();
    await route.abort();
  });
  await dialog.getByRole('button', { name: /^(Make|Add|Create)/ }).click();
  await expect(dialog.getByText(/mPanel does not answer/)).toBeVisible();
  await page.unroute('**/api/admin/tenants');
  // With another key its name would be taken.
  await dialog.getByRole('button', { name: /^(Make|Add|Create)/ }).click();
  await expect(page.getByRole('heading', { name: 'made but once', level: 1 })).toBeVisible();
  await check();
});

test('a filter is shown as it was typed', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/settings/tenants');
  const filter = page.getByRole('textbox', { name: 'Name' });
  await filter.pressSequentially('de ');
  await expect(page).toHaveURL(/name_prefix=de$/);
  await filter.pressSequentially('luxe');
  await expect(page).toHaveURL(/name_prefix=de(\+|%20)luxe$/);
  await expect(filter).toHaveValue('de luxe');
  await check();
});

test('the previous page of a list is there after a dialog and a reload', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers?limit=1');
  const shown = (name: string) => expect(page.getByRole('main').getByRole('link', { name, exact: true })).toBeVisible();
  await shown('pve1');
  await page.getByRole('button', { name: 'Next' }).click();
  await shown('pve2');
  await page.getByRole('link', { name: 'Add a server' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.reload();
  await page.getByRole('button', { name: 'Previous' }).click();
  await shown('pve1');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Previous' })).toHaveCount(0);
  await check();
});

test('what the checks of the whole fleet take their time for, nothing else waits for', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  let answer = () => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let asked = 0;
  await page.route('**/api/platform/invariants', async (route) => {
    asked += 1;
    await held;
    await route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ title: 'busy', detail: 'it takes too long' }) });
  });
  await signIn(page, STAFF, '/');
  // The third host's agent ended with the tests before.
  await expect(page.getByRole('heading', { name: 'Servers are offline' })).toBeVisible();
  await expect(page.getByText('Looking at the rest')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Capacity' })).toBeVisible();
  answer();
  await expect(page.getByText('Whether the rest is well is not known')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Servers are offline' })).toBeVisible();
  expect(asked, 'it is asked for once').toBe(1);
  await check();
});
