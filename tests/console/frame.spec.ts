// What surrounds each page: whose data is shown, light or dark, the menu of a phone, and where else one is signed in.
import { expect, type Page, test } from '@playwright/test';
import { accessible, api, first, fresh, type Named, OWNER, PASSWORD, STAFF, settled, signIn } from './stage';

/** Chooses whose data is shown, by typing the beginning of a name. */
async function chooseTenant(page: Page, shown: string, name: string): Promise<void> {
  await page.getByRole('button', { name: `Shown: ${shown}. Choose a tenant` }).click();
  if (name !== 'Platform') await page.getByRole('textbox', { name: 'Search tenants' }).fill(name);
  await page.getByRole('option', { name }).click();
  await expect(page.getByRole('button', { name: `Shown: ${name}. Choose a tenant` })).toBeVisible();
}

/** Everything of one list is shown, and nothing else. */
async function lists(page: Page, module: string, table: string, names: string[]): Promise<void> {
  await page.getByRole('navigation', { name: 'Modules' }).getByRole('link', { name: module }).click();
  await expect(page.getByRole('heading', { name: module, level: 1 })).toBeVisible();
  const shown = page.getByRole('table', { name: table }).locator('[data-row-link]');
  await expect.poll(async () => (await shown.allInnerTexts()).toSorted()).toEqual(names.toSorted());
}

test("staff goes into a tenant, sees that tenant's alone, and comes back", async ({ browser }) => {
  const home = await first('/api/admin/tenants?name_prefix=Default');
  const other = (await api('POST', '/api/admin/tenants', { name: 'Neighbours' })) as unknown as Named;
  const zoe = { email: 'zoe@neighbours.example', name: 'Zoe', password: PASSWORD, tenant_id: other.id, role: 'OWNER' };
  await api('POST', '/api/platform/users', zoe);
  const pods = (await api('GET', '/api/provisioning/cloudpods?limit=200')).items as (Named & { tenant_id: string })[];
  const of = (tenant: Named) => pods.filter(({ tenant_id }) => tenant_id === tenant.id).map(({ name }) => name);
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF);
  const menu = page.getByRole('navigation', { name: 'Modules' });
  await chooseTenant(page, 'Platform', other.name);
  await expect(page.getByText('No pods yet')).toBeVisible();
  // What is the platform's is not a tenant's.
  for (const absent of ['Servers', 'Customers', 'Plans']) await expect(menu.getByRole('link', { name: absent })).toHaveCount(0);
  await lists(page, 'CloudPods', 'CloudPods', []);
  await lists(page, 'Users', 'Users', [zoe.name]);
  await chooseTenant(page, other.name, home.name);
  await lists(page, 'CloudPods', 'CloudPods', of(home));
  await menu.getByRole('link', { name: 'Users' }).click();
  await expect(page.getByRole('row', { name: new RegExp(OWNER) })).toBeVisible();
  await expect(page.getByText(zoe.email)).toHaveCount(0);
  // It is kept by who loads the page anew.
  await page.reload();
  await chooseTenant(page, home.name, 'Platform');
  await expect(menu.getByRole('link', { name: 'Servers' })).toBeVisible();
  await lists(
    page,
    'CloudPods',
    'CloudPods',
    pods.map(({ name }) => name),
  );
  await check();
});

test('light or dark is chosen, and stays', async ({ browser }) => {
  const { page, check } = await fresh(browser, { colorScheme: 'light' });
  await signIn(page, STAFF);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const scheme = (name: string) => expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', name);
  const open = () => page.getByRole('button', { name: 'Account and appearance' }).click();
  await scheme('light');
  const light = await background();
  await open();
  await page.getByRole('menuitemradio', { name: 'Dark' }).click();
  await scheme('dark');
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  await settled(page, 'the overview, dark');
  await scheme('dark');
  expect(await background()).toBe(dark);
  await open();
  await expect(page.getByRole('menuitemradio', { name: 'Dark' })).toBeChecked();
  await accessible(page, 'the menu of the account, dark');
  await page.getByRole('menuitemradio', { name: 'As the system' }).click();
  await scheme('light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await scheme('dark');
  await check();
});

test('the menu of a phone opens, leads to a page, and closes', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF);
  await page.setViewportSize({ width: 360, height: 740 });
  const menu = page.getByRole('navigation', { name: 'Modules' });
  const [open, close] = [page.getByRole('button', { name: 'Open the menu' }), page.getByRole('button', { name: 'Close the menu' })];
  // Closed it is not merely beside the screen: its links cannot be reached with Tab.
  await expect(menu).toBeHidden();
  await open.click();
  await expect(menu).toBeVisible();
  await expect(menu.getByRole('link', { name: 'CloudPods' })).toBeInViewport();
  await accessible(page, 'the menu of a phone');
  await close.click();
  await expect(menu).toBeHidden();
  await open.click();
  await menu.getByRole('link', { name: 'CloudPods' }).click();
  await expect(page.getByRole('heading', { name: 'CloudPods', level: 1 })).toBeVisible();
  await expect(menu).toBeHidden();
  await expect(page.getByRole('main').locator('[data-row-link]').first()).toBeInViewport();
  await check();
});

test('a sign-in elsewhere is ended, and is one no longer', async ({ browser }) => {
  const { id } = await first('/api/admin/tenants?name_prefix=Default');
  const eve = { email: 'eve@home.example', name: 'Eve', password: PASSWORD, tenant_id: id, role: 'MEMBER' };
  await api('POST', '/api/platform/users', eve);
  const [here, there] = [await fresh(browser, { userAgent: 'At home' }), await fresh(browser, { userAgent: 'Elsewhere' })];
  await signIn(there.page, eve.email, '/provisioning/cloudpods');
  await signIn(here.page, eve.email, '/account');
  const programs = async () => {
    const { items } = await (await here.page.request.get('/api/auth/sessions')).json();
    return items.map((one: { user_agent: string }) => one.user_agent).toSorted();
  };
  expect(await programs()).toEqual(['At home', 'Elsewhere']);
  const section = here.page.getByRole('region', { name: 'Sign-ins' });
  await expect(section.getByText('At home')).toBeVisible();
  await expect(section.getByText('Elsewhere')).toBeVisible();
  await expect(section.getByText('This one')).toHaveCount(1);
  await section.getByRole('button', { name: 'End the sign-in from 127.0.0.1' }).click();
  await expect(section.getByText('Elsewhere')).toHaveCount(0);
  await expect(section.getByText('At home')).toBeVisible();
  expect(await programs()).toEqual(['At home']);
  // It ends there by itself, whatever is open.
  await expect(there.page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
  await expect(here.page.getByRole('navigation', { name: 'Modules' })).toBeVisible();
  await here.check();
  await there.check();
});
