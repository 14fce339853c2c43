// What is kept of what was done, and what programs act with: the audit read, proven and taken along; an API token used and revoked.
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { accessible, api, dialog, first, fresh, OWNER, signIn, STAFF, URL } from './stage';

test('the audit is filtered, opened, proven and taken along', async ({ browser }) => {
  const { id, name } = await first('/api/provisioning/cloudpods?name_prefix=db-2');
  for (const one of ['audited', name]) await api('PATCH', `/api/admin/hosting/cloudpods/${id}`, { name: one });
  const { page, check } = await fresh(browser, { acceptDownloads: true });
  await signIn(page, STAFF, '/audit');
  await page.getByRole('textbox', { name: 'With the id' }).fill(id);
  await page.getByRole('textbox', { name: 'Action' }).fill('cloudpod.updated');
  await expect(page).toHaveURL(/action=cloudpod\.updated/);
  const rows = page.getByRole('table', { name: 'Audit' }).getByRole('row');
  await expect(rows.filter({ hasNotText: 'cloudpod.updated' })).toHaveCount(1);
  await rows.filter({ hasText: 'cloudpod.updated' }).first().getByRole('link').click();
  const changed = dialog(page).getByRole('table', { name: 'Before and after' }).getByRole('row', { name: /^name/ });
  await expect(changed.getByRole('cell').first()).toHaveText('− audited');
  await expect(changed.getByRole('cell').last()).toHaveText(`+ ${name}`);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);

  const take = async (format: RegExp) => {
    await page.getByRole('button', { name: 'Export' }).click();
    const coming = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: format }).click();
    const file = await coming;
    return { name: file.suggestedFilename(), lines: (await readFile(await file.path(), 'utf8')).trim().split('\n') };
  };
  const ndjson = await take(/^NDJSON/);
  expect(ndjson.name).toMatch(/\.ndjson$/);
  const records = ndjson.lines.map((line) => JSON.parse(line) as { action: string; target_id: string });
  expect(records.length).toBeGreaterThan(1);
  // What is filtered, and nothing else.
  expect(new Set(records.map(({ action, target_id }) => `${action} ${target_id}`))).toEqual(new Set([`cloudpod.updated ${id}`]));
  const csv = await take(/^CSV/);
  expect(csv.name).toMatch(/\.csv$/);
  expect(csv.lines[0]).toMatch(/(^|,)action(,|$)/);
  expect(csv.lines.length - 1).toBe(records.length);

  await page.getByRole('button', { name: 'Verify' }).click();
  await dialog(page).getByRole('button', { name: 'Verify' }).click();
  await expect(dialog(page).getByText('The audit is whole')).toBeVisible();
  await accessible(page, 'an audit that is proven');
  await check();
});

test('an API token is shown once, is used, and is refused once it is revoked', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, OWNER, '/account');
  const section = page.getByRole('region', { name: 'API tokens' });
  await section.getByRole('button', { name: 'Make a token' }).click();
  await dialog(page).getByLabel('Name').fill('nightly');
  await dialog(page).getByRole('combobox', { name: 'What it may do' }).click();
  await page.getByRole('option', { name: 'See cloudpods (cloudpods:read)' }).click();
  // The list stays open for more, over the button.
  await page.keyboard.press('Tab');
  await dialog(page).getByRole('button', { name: 'Make the token' }).click();
  const token = await dialog(page).getByLabel('API token', { exact: true }).innerText();
  await accessible(page, 'a token that is shown once');
  await dialog(page).getByRole('button', { name: 'Done' }).click();
  await expect(section.getByText('nightly', { exact: true })).toBeVisible();
  await expect(page.getByText(token)).toHaveCount(0);
  const used = async (path: string) => (await fetch(URL + path, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await used('/api/provisioning/cloudpods')).toBe(200);
  expect(await used('/api/users'), 'it may do no more than was chosen').toBe(403);
  await section.getByRole('button', { name: 'Revoke nightly' }).click();
  await dialog(page).getByRole('button', { name: 'Revoke' }).click();
  await expect(section.getByText('You have none.')).toBeVisible();
  expect(await used('/api/provisioning/cloudpods')).toBe(401);
  await check();
});
