// Who may only look sees nothing to be done: on no page that they can reach, nor by an address that somebody gave them.
import { expect, type Page, test } from '@playwright/test';
import { BILLING, first, fresh, OWNER, settled, signIn, STAFF } from './stage';

/** All that can be pressed or filled in, but what chooses what one looks at: the filters, sorts and tabs of a list or page. */
const PRESSABLE = ['button:enabled:not([role="tab"])', 'input:enabled:not([type="hidden"])', 'select:enabled', 'textarea:enabled']
  .concat('[role="menuitem"]', '[contenteditable="true"]')
  .map((one) => `${one}:not(search *, th *)`)
  .join(', ');
/** The rest of what changes nothing. */
const READING = /^(Next|Previous|First|Rows|Close|All of it|Less|Copy.*|.*: show a (table|plot)|alert: Try again)$/;

/** As it is called for who does not see it, and whether it belongs to what an alert says. */
function namesOf(elements: Element[]): string[] {
  return elements.map((element) => {
    const by = element.getAttribute('aria-labelledby')?.split(' ').map((id) => document.getElementById(id)?.textContent);
    const labels = 'labels' in element ? [...((element as HTMLInputElement).labels ?? [])].map((label) => label.textContent) : [];
    const name = element.getAttribute('aria-label') ?? (by?.join(' ') || labels.join(' ') || element.textContent);
    const where = element.closest('[role="alert"]') ? 'alert: ' : '';
    return where + (name?.trim() || element.outerHTML.slice(0, 160));
  });
}

/** Links that lead to a form or to what acts, other than by what the page's own address says already. */
function leadToActs(links: Element[]): string[] {
  const here = new URLSearchParams(location.search);
  const hrefs = links.map((link) => {
    const { pathname, searchParams } = new URL((link as HTMLAnchorElement).href);
    for (const [name, value] of here) searchParams.delete(name, value);
    return `${pathname}?${searchParams}`;
  });
  return hrefs.filter((href) => /=true|[?&](action|open)=|\/new\b|\/console\b/.test(href));
}

/** What can be done on a page: what is pressed or filled in for it, and where links lead to it. */
async function actsOf(page: Page, what: string): Promise<string[]> {
  await settled(page, what);
  const within = page.locator('main, #overlays');
  const names = await within.locator(PRESSABLE).evaluateAll(namesOf);
  return [...names.filter((name) => !READING.test(name)), ...(await within.locator('a[href]').evaluateAll(leadToActs))];
}

async function onlyReads(page: Page, what: string): Promise<void> {
  expect(await actsOf(page, what), `${what}: what can be done there`).toEqual([]);
}

/** Where the links of a page lead; of what is alike, such as each of the pods, the first. */
async function linksOf(page: Page): Promise<[like: string, path: string][]> {
  const hrefs = await page.locator('nav a[href^="/"], main a[href^="/"]').evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''));
  return hrefs.map((href) => [href.replaceAll(/[0-9a-f-]{36}/g, '…'), href]);
}

test('who may only look sees no actions, wherever links lead', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, BILLING);
  const menu = page.getByRole('navigation', { name: 'Modules' });
  await expect(menu.getByRole('link', { name: 'CloudPods' })).toBeVisible();
  for (const absent of ['Servers', 'Jobs', 'Customers', 'Audit', 'Plans', 'Webhooks']) {
    await expect(menu.getByRole('link', { name: absent }), absent).toHaveCount(0);
  }
  const waiting = new Map([['/', '/']]);
  const seen = new Set<string>();
  for (const [like, path] of waiting) {
    seen.add(like);
    // Their own account is theirs to change.
    if (like === '/account') continue;
    await page.goto(path);
    await onlyReads(page, path);
    for (const tab of await page.getByRole('main').getByRole('tab').all()) {
      await tab.click();
      await expect(tab).toHaveAttribute('aria-selected', 'true');
      await onlyReads(page, `${path}, ${await tab.innerText()}`);
    }
    for (const [next, to] of await linksOf(page)) if (!waiting.has(next)) waiting.set(next, to);
  }
  for (const reached of ['/provisioning/cloudpods', '/provisioning/cloudpods/…', '/users', '/settings/tenant']) {
    expect([...seen], 'links lead there').toContain(reached);
  }
  await check();
});

test('who may only look can do nothing by an address either', async ({ browser }) => {
  const pod = await first('/api/provisioning/cloudpods?name_prefix=db-1');
  const [tenant, ann] = [await first('/api/admin/tenants?name_prefix=Default'), await first(`/api/admin/users?email_prefix=${OWNER}`)];
  const { page, check } = await fresh(browser);
  await signIn(page, BILLING);
  const here = `/provisioning/cloudpods/${pod.id}`;
  const paths = [
    `${here}?action=rename`,
    `${here}?action=migrate`,
    `${here}/console`,
    `${here}?tab=network`,
    '/provisioning/cloudpods?adopt=true',
    '/provisioning/cloudpods/new',
    '/provisioning/jobs',
    '/servers?add=true',
    '/servers/pve1?open=edit',
    '/users?invite=true',
    '/users?account=true',
    `/users?user=${ann.id}`,
    '/users/accounts',
    '/users/tokens',
    '/users/invitations?invite=true',
    '/customers?add=true',
    '/audit?verify=true',
    '/settings/tenants?add=true',
    `/settings/tenants/${tenant.id}?quotas=true`,
    '/settings/plans?add=true',
    '/settings/images?add=true',
    '/settings/ip-pools?add=true',
    '/settings/ip-pools/lan?edit=true',
    '/settings/webhooks?add=true',
  ];
  for (const path of paths) {
    await page.goto(path);
    await onlyReads(page, path);
  }
  await check();
});

test('the same look finds what an owner can do', async ({ browser }) => {
  const { id } = await first('/api/provisioning/cloudpods?name_prefix=db-1');
  const { page, check } = await fresh(browser);
  await signIn(page, OWNER);
  for (const [path, act] of [
    ['/provisioning/cloudpods', '/provisioning/cloudpods/new?'],
    [`/provisioning/cloudpods/${id}`, 'Actions'],
    ['/users', `Role of ${BILLING}`],
    ['/users?invite=true', 'E-mail address *'],
    ['/settings/tenant', 'Region'],
    ['/settings/webhooks', 'Add a webhook'],
  ] as const) {
    await page.goto(path);
    expect(await actsOf(page, path), path).toContain(act);
  }
  await check();
});

test('CDs are offered to who has some', async ({ browser }) => {
  const { id } = await first('/api/provisioning/cloudpods?name_prefix=db-1');
  // The platform offers customers no storage of CDs here; its staff take them from any.
  for (const [email, count] of [
    [OWNER, 0],
    [STAFF, 1],
  ] as const) {
    const { page, check } = await fresh(browser);
    await signIn(page, email, `/provisioning/cloudpods/${id}`);
    await page.getByRole('button', { name: 'Actions' }).click();
    await expect(page.getByRole('menuitem', { name: 'Resize' })).toBeVisible();
    for (const name of ['CD drive', 'Rescue']) await expect(page.getByRole('menuitem', { name }), `${name} of ${email}`).toHaveCount(count);
    await check();
  }
});
