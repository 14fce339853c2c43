// How one gets to things: by the search, by the keyboard alone, and to the exact time behind "5 minutes ago".
import { expect, type Locator, type Page, test } from '@playwright/test';
import { api, fresh, signIn, STAFF } from './stage';

/** Opens the search, types, and goes with the arrows to what is called so. */
async function search(page: Page, typed: string, hit: string | RegExp): Promise<void> {
  await page.keyboard.press('/');
  await expect(page.getByRole('textbox', { name: 'Search' })).toBeFocused();
  await page.keyboard.type(typed);
  const wanted = page.getByRole('dialog', { name: 'Search' }).locator('[data-action]').filter({ hasText: hit }).first();
  await expect(wanted, `${typed} is found`).toBeVisible();
  await expect(async () => {
    await page.keyboard.press('ArrowDown');
    await expect(wanted).toHaveAttribute('data-selected', 'true', { timeout: 100 });
  }).toPass();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Search' })).toHaveCount(0);
}

/** Goes on with Tab until it is reached. */
async function tabTo(page: Page, wanted: Locator): Promise<void> {
  await expect(wanted).toBeVisible();
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Tab');
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
  }
  await expect(wanted, 'it is reached with Tab').toBeFocused();
}

const holdsFocus = (of: Locator) => of.evaluate((element) => element.contains(document.activeElement));

test('the search leads to a server, what failed, an address, a pod and a customer', async ({ browser }) => {
  const pods = (await api('GET', '/api/provisioning/cloudpods?name_prefix=db-2')).items as { addresses: { address: string }[] }[];
  const address = pods[0]?.addresses[0]?.address ?? 'the pod has no address';
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF);
  const title = (name: string) => expect(page.getByRole('heading', { name, level: 1, exact: true })).toBeVisible();
  await search(page, 'pve1', 'pve1');
  await title('pve1');
  await search(page, 'status:failed', 'Jobs that are failed');
  await title('Jobs');
  await expect(page).toHaveURL(/state=failed/);
  await expect(page.getByRole('table', { name: 'Jobs' }).getByText('Failed').first()).toBeVisible();
  await search(page, address, 'db-2');
  await title('db-2');
  await search(page, 'db-1', 'db-1');
  await title('db-1');
  await search(page, 'Defau', 'Default');
  await title('Customers');
  await expect(page.getByRole('dialog').getByRole('heading', { name: 'Default' })).toBeVisible();
  await check();
});

test('everything is reached with the keyboard', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers');
  const row = page.getByRole('table', { name: 'Servers' }).getByRole('link', { name: 'pve1', exact: true });
  await expect(row).toBeVisible();
  // The first that Tab meets leads past the menu, as on every page.
  await page.reload();
  await expect(row).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the page' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('#main')).toBeFocused();
  await tabTo(page, row);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'pve1', level: 1 })).toBeVisible();

  // A dialog keeps the focus, and gives it back.
  const edit = page.getByRole('button', { name: 'Edit', exact: true });
  await tabTo(page, edit);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  const fields = await dialog.locator('input:visible, button:visible, textarea:visible').count();
  for (let presses = 0; presses <= fields + 1; presses += 1) {
    await page.keyboard.press('Tab');
    expect(await holdsFocus(dialog), `after ${presses} more`).toBe(true);
  }
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await expect(edit).toBeFocused();

  const more = page.getByRole('button', { name: 'More to do with this server' });
  await tabTo(page, more);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'New enrolment token' })).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('menuitem', { name: 'Revoke its certificates' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('menu')).toHaveCount(0);
  await expect(more).toBeFocused();

  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await expect(page.getByRole('heading', { name: 'Jobs', level: 1 })).toBeVisible();
  await check();
});

test('a time is told as people say it, and exactly to who points at it', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/audit');
  const time = page.getByRole('table', { name: 'Audit' }).locator('time').last();
  await expect(time).toHaveText(/ago|just now|yesterday/);
  const at = (await time.getAttribute('datetime')) ?? '';
  expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  const exact = await page.evaluate(
    (one) => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(one)),
    at,
  );
  await time.hover();
  await expect(page.getByRole('tooltip')).toHaveText(exact);
  await check();
});
