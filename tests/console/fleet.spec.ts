// A thousand servers, ten thousand pods: every page asks for a bounded number of bounded answers, and draws no more than a page of rows.
// How long each took is told, not asserted.
import { expect, type Page, test } from '@playwright/test';
import { fresh, settled, signIn, STAFF } from './stage';

/** More than a page needs for what is on it, and far fewer than one for each row. */
const REQUESTS_MAX = 12;
/** A page of 200 rows is a fifth of it. */
const ANSWER_MAX_BYTES = 1_500_000;
const ELEMENTS_MAX = 20_000;

/** Where each is, and the rows of its table once they are there. */
const PAGES: Record<string, [path: string, rows: number]> = {
  overview: ['/', 0],
  servers: ['/servers', 50],
  'servers, 200 a page': ['/servers?limit=200&sort=name', 200],
  server: ['/servers/host-0777', 0],
  'pods of a server': ['/servers/host-0777?tab=pods', 10],
  pods: ['/provisioning/cloudpods', 50],
  'pods, 200 a page': ['/provisioning/cloudpods?limit=200&sort=name', 200],
  jobs: ['/provisioning/jobs', 50],
  'failed jobs, 200 a page': ['/provisioning/jobs?limit=200&state=failed', 200],
  customers: ['/customers', 50],
  'customers, 200 a page': ['/customers?limit=200', 200],
  tenants: ['/settings/tenants?limit=200', 200],
  audit: ['/audit', 1],
  'create a pod': ['/provisioning/cloudpods/new', 0],
};

/** What the page asks the API for from now on. */
function asked(page: Page): { count: () => number; largest: () => Promise<[number, string]> } {
  const answers: Promise<[number, string]>[] = [];
  page.on('response', (response) => {
    const path = response.url().replace(/^https?:\/\/[^/]+/, '');
    if (!path.startsWith('/api/') || path.startsWith('/api/events')) return;
    // What the page no longer waits for has no body.
    const size = response.body().then((body): [number, string] => [body.length, path]);
    answers.push(size.catch((): [number, string] => [0, path]));
  });
  return {
    count: () => answers.length,
    largest: async () => (await Promise.all(answers)).reduce((most, one) => (one[0] > most[0] ? one : most), [0, '']),
  };
}

test.describe.configure({ timeout: 600_000 });

for (const [name, [path, wanted]] of Object.entries(PAGES)) {
  test(`${name}: few requests, bounded answers, a page of rows`, async ({ browser }) => {
    const { page, check } = await fresh(browser);
    await signIn(page, STAFF, '/account');
    await settled(page, 'account');
    const seen = asked(page);
    const began = performance.now();
    await page.goto(path);
    await settled(page, name);
    await expect.poll(() => seen.count(), 'what it shows is asked for').toBeGreaterThan(0);
    // The head of a table is a row as well.
    const rows = page.getByRole('row');
    if (wanted === 1) await expect(rows.nth(1)).toBeVisible();
    else if (wanted > 0) await expect(rows).toHaveCount(wanted + 1);
    // Each says something.
    for (const text of await rows.allInnerTexts()) expect(text.trim(), 'a row without words').not.toBe('');
    const ms = Math.round(performance.now() - began);
    const elements = await page.evaluate(() => document.querySelectorAll('*').length);
    const [bytes, largest] = await seen.largest();
    console.log(`${name}: ${ms} ms, ${seen.count()} requests, largest ${bytes} B (${largest}), ${await rows.count()} rows, ${elements} elements`);
    expect(seen.count(), 'requests').toBeLessThanOrEqual(REQUESTS_MAX);
    expect(bytes, 'answers have something in them').toBeGreaterThan(0);
    expect(bytes, `the answer of ${largest}`).toBeLessThanOrEqual(ANSWER_MAX_BYTES);
    expect(elements, 'elements').toBeLessThanOrEqual(ELEMENTS_MAX);
    await check();
  });
}

test('whatever is behind the first page is found: by going on, by a filter, by the search, in a select', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/provisioning/cloudpods?sort=name');
  await expect(page.getByRole('link', { name: 'pod-00000' })).toBeVisible();
  await expect(page.getByText('tenant-0000').first()).toBeVisible();
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('link', { name: 'pod-00050' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'pod-00000' })).toHaveCount(0);
  await page.goto('/servers?name_prefix=host-0999');
  await expect(page.getByRole('link', { name: 'host-0999' })).toBeVisible();
  await page.keyboard.press('ControlOrMeta+k');
  await page.getByRole('dialog', { name: 'Search' }).getByLabel('Search').fill('pod-09999');
  await page.getByRole('dialog', { name: 'Search' }).getByRole('button', { name: /pod-09999/ }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'pod-09999' })).toBeVisible();
  await page.goto('/provisioning/cloudpods');
  const select = page.getByRole('combobox', { name: 'Server' }).or(page.getByRole('textbox', { name: 'Server' })).first();
  await select.click();
  await select.fill('host-0777');
  await page.getByRole('option', { name: 'host-0777' }).click();
  await expect(page.getByRole('link', { name: 'pod-07770' })).toBeVisible();
  await expect(page.getByRole('link', { name: /^pod-/ })).toHaveCount(10);
  await check();
});
