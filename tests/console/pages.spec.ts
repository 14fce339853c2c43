// Each page and dialog, light and dark, on a desktop and a phone: axe finds nothing, nothing breaks, it is no wider than the screen, and
// a picture of it is kept.
import { type Browser, expect, type Page, test } from '@playwright/test';
import { accessible, api, BILLING, first, fresh, type Named, OWNER, settled, signIn, STAFF } from './stage';

const SIZES = { desktop: { width: 1360, height: 860 }, phone: { width: 360, height: 740 } };

/** Where it is, and what is done there before one looks. */
type Looks = Record<string, string | [path: string, act: (page: Page) => Promise<void>]>;

/** A page in every size and scheme, and back to the first. axe, which takes longest, meets each size and each scheme once. */
async function look(page: Page, name: string): Promise<void> {
  await lookIn(page, name, 'light', 'desktop');
  await accessible(page, name);
  await lookIn(page, name, 'dark', 'desktop');
  await lookIn(page, name, 'dark', 'phone');
  await accessible(page, `${name}, dark, on a phone`);
  await lookIn(page, name, 'light', 'phone');
  await page.setViewportSize(SIZES.desktop);
}

async function lookIn(page: Page, name: string, colorScheme: 'light' | 'dark', size: keyof typeof SIZES): Promise<void> {
  const what = `${name}, ${colorScheme}, ${size}`;
  await page.setViewportSize(SIZES[size]);
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await expect(page.locator('html'), what).toHaveAttribute('data-mantine-color-scheme', colorScheme);
  await settled(page, what);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wide, `${what} is no wider than the screen`).toBeLessThanOrEqual(0);
  await page.screenshot({ path: `${process.env.MPANEL_SCREENSHOTS}/${name}-${colorScheme}-${size}.png` });
}

async function lookAt(page: Page, looks: Looks): Promise<void> {
  for (const [name, one] of Object.entries(looks)) {
    const [path, act] = typeof one === 'string' ? [one] : one;
    await page.goto(path);
    await settled(page, name);
    await act?.(page);
    await look(page, name);
  }
}

async function lookAs(browser: Browser, email: string, looks: Looks): Promise<void> {
  const { page, check } = await fresh(browser, { colorScheme: 'light', reducedMotion: 'reduce' });
  await signIn(page, email);
  await lookAt(page, looks);
  await check();
}

/** A dialog or a drawer is there, with what is in it. */
async function opened(page: Page): Promise<void> {
  await expect(page.getByRole('dialog').last()).toBeVisible();
}

/** Filled in as far as this step of it, counted from 0. */
async function createUntil(page: Page, step: number): Promise<void> {
  const tenant = page.getByRole('combobox', { name: 'Tenant' });
  await expect(page.getByRole('radio', { name: /small/ })).toBeVisible();
  if (await tenant.isVisible()) {
    await tenant.click();
    await page.getByRole('option', { name: 'Default' }).first().click();
  }
  await page.getByRole('radio', { name: /small/ }).click();
  await page.getByRole('radio', { name: /debian/ }).first().click();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel(/^Name/).fill('looked-at');
  if (step === 1) return;
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByText(/Where it would go|Whether it fits/)).toBeVisible();
}

const at = (path: string): [string, typeof opened] => [path, opened];

test.describe.configure({ timeout: 600_000 });

test('the pages of who is not signed in', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const tenant = await first('/api/admin/tenants?name_prefix=Default');
  const invitation = await api('POST', `/api/admin/users/invite?tenant_id=${tenant.id}`, {
    email: 'new@home.example',
    role: 'MEMBER',
  });
  await lookAt(page, {
    'sign-in': '/sign-in',
    'sign-in-refused': [
      '/sign-in',
      async () => {
        await page.getByLabel('E-mail address').fill('nobody@home.example');
        await page.getByLabel(/^Password/).fill('not this one');
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
        await expect(page.getByRole('alert')).toBeVisible();
      },
    ],
    'forgot-password': '/forgot-password',
    'forgot-password-sent': [
      '/forgot-password',
      async () => {
        await page.getByLabel('E-mail address').fill('nobody@home.example');
        await page.getByRole('button', { name: 'Send the link' }).click();
        await expect(page.getByRole('status').or(page.getByRole('alert')).first()).toBeVisible();
      },
    ],
    'reset-password-not-whole': '/reset-password',
    'reset-password': '/reset-password#a-secret',
    'accept-invitation-not-whole': '/accept-invitation',
    'accept-invitation': `/accept-invitation#${invitation.token}`,
    setup: '/setup',
    'not-found': '/nowhere',
  });
  await check();
});

test('the pages of the staff', async ({ browser }) => {
  const tenant = await first('/api/admin/tenants?name_prefix=Default');
  await lookAs(browser, STAFF, {
    overview: '/',
    'overview-of-tenant': `/?tenant=${tenant.id}`,
    'tenant-none-chosen': '/settings/tenant',
    'tenant-as-they-see-it': `/settings/tenant?tenant=${tenant.id}`,
    servers: '/servers',
    'server-add': at('/servers?add=true'),
    server: '/servers/pve1',
    'server-pods': '/servers/pve1?tab=pods',
    'server-health': '/servers/pve1?tab=health',
    'server-storages': '/servers/pve1?tab=storages',
    'server-drift': '/servers/pve1?tab=drift',
    'server-drain': '/servers/pve1?tab=drain',
    'server-agent': '/servers/pve1?tab=agent',
    'server-edit': at('/servers/pve1?open=edit'),
    'server-endpoint': at('/servers/pve1?open=endpoint'),
    'server-token': at('/servers/pve1?open=token'),
    'server-open': at('/servers/pve1?open=online'),
    'server-drain-preview': [
      '/servers/pve1?open=drain',
      async (page) => {
        await expect(page.getByRole('dialog').getByRole('row', { name: /db-1/ })).toBeVisible();
      },
    ],
    'server-none': '/servers/nowhere',
    account: '/account',
  });
});

test('the pages of people', async ({ browser }) => {
  const tenant = await first('/api/admin/tenants?name_prefix=Default');
  const [ann, record] = [await first(`/api/admin/users?email_prefix=${OWNER}`), await first('/api/admin/audit?limit=1')];
  const customer = `/customers?customer=${tenant.id}`;
  await lookAs(browser, STAFF, {
    users: '/users',
    'users-none': '/users?email_prefix=nobody',
    user: at(`/users?user=${ann.id}&of=${tenant.id}`),
    'user-invite': at('/users?invite=true'),
    'account-make': at('/users?account=true'),
    accounts: '/users/accounts',
    'accounts-staff': '/users/accounts?staff=true',
    invitations: '/users/invitations',
    tokens: '/users/tokens',
    customers: '/customers',
    'customer-add': at('/customers?add=true'),
    customer: at(customer),
    'customer-orders': at(`${customer}&part=orders`),
    'customer-pods': at(`${customer}&part=pods`),
    'customer-users': at(`${customer}&part=users`),
    'customer-events': at(`${customer}&part=events`),
    'customer-profile': at(`${customer}&part=profile`),
    audit: '/audit',
    'audit-record': at(`/audit?record=${record.id}`),
    'audit-verify': at('/audit?verify=true'),
  });
});

test('the pages of what is sold', async ({ browser }) => {
  const [pod, tenant] = [await first('/api/provisioning/cloudpods?name_prefix=db-1'), await first('/api/admin/tenants?name_prefix=Default')];
  const job = await first(`/api/provisioning/jobs?cloudpod_id=${pod.id}&limit=1`);
  const here = `/provisioning/cloudpods/${pod.id}`;
  const snapshots = `/api/admin/hosting/cloudpods/${pod.id}/snapshots`;
  await api('POST', snapshots, { name: `before-${Date.now()}`, description: 'as it was' });
  await expect.poll(async () => ((await api('GET', snapshots)).items as { state: string }[]).every(({ state }) => state === 'ready')).toBe(true);
  await lookAs(browser, STAFF, {
    cloudpods: '/provisioning/cloudpods',
    'cloudpods-adopt': at('/provisioning/cloudpods?adopt=true'),
    cloudpod: here,
    'cloudpod-network': `${here}?tab=network`,
    'cloudpod-snapshots': `${here}?tab=snapshots`,
    'cloudpod-backups': `${here}?tab=backups`,
    'cloudpod-activity': `${here}?tab=activity`,
    'cloudpod-job': at(`${here}?job=${job.id}`),
    'cloudpod-rename': at(`${here}?action=rename`),
    'cloudpod-shutdown': at(`${here}?action=shutdown`),
    'cloudpod-password': at(`${here}?action=password`),
    'cloudpod-media': at(`${here}?action=media`),
    'cloudpod-capture': at(`${here}?action=capture`),
    'cloudpod-resize': at(`${here}?action=resize`),
    'cloudpod-rebuild': at(`${here}?action=rebuild`),
    'cloudpod-move': at(`${here}?action=migrate`),
    'cloudpod-keys': at(`${here}?action=keys`),
    'cloudpod-rescue': at(`${here}?action=rescue`),
    'cloudpod-delete': [
      here,
      async (page) => {
        await page.getByRole('button', { name: 'Actions' }).click();
        await page.getByRole('menuitem', { name: 'Delete' }).click();
        await expect(page.getByRole('dialog').getByLabel(/Type db-1/)).toBeVisible();
      },
    ],
    'cloudpod-console': [
      `${here}/console`,
      async (page) => {
        await expect(page.getByRole('region', { name: 'Screen of db-1' }).locator('canvas')).toBeVisible();
      },
    ],
    'cloudpod-new': '/provisioning/cloudpods/new',
    'cloudpod-new-name': ['/provisioning/cloudpods/new', (page) => createUntil(page, 1)],
    'cloudpod-new-place': ['/provisioning/cloudpods/new', (page) => createUntil(page, 2)],
    jobs: '/provisioning/jobs',
    job: at(`/provisioning/jobs?job=${job.id}`),
    'job-none': at('/provisioning/jobs?job=01a22dfe-0000-7000-8000-000000000000'),
  });
});

test('the pages of the settings', async ({ browser }) => {
  const [tenant, plan] = [await first('/api/admin/tenants?name_prefix=Default'), await first('/api/platform/plans')];
  const [image, pool] = [await first('/api/platform/images'), await first('/api/platform/ip-pools')];
  const made = await api('POST', '/api/admin/webhooks', { name: 'billing', url: 'https://hooks.example.com/mpanel' });
  const { id } = made.webhook as Named;
  await lookAs(browser, STAFF, {
    tenants: '/settings/tenants',
    'tenant-add': at('/settings/tenants?add=true'),
    tenant: `/settings/tenants/${tenant.id}`,
    'tenant-quotas': at(`/settings/tenants/${tenant.id}?quotas=true`),
    plans: '/settings/plans',
    'plan-add': at('/settings/plans?add=true'),
    plan: at(`/settings/plans?plan=${plan.id}`),
    images: '/settings/images',
    'image-add': at('/settings/images?add=true'),
    image: at(`/settings/images?image=${image.id}`),
    pools: '/settings/ip-pools',
    'pool-add': at('/settings/ip-pools?add=true'),
    pool: `/settings/ip-pools/${pool.name}`,
    'pool-edit': at(`/settings/ip-pools/${pool.name}?edit=true`),
    webhooks: '/settings/webhooks',
    'webhook-add': at('/settings/webhooks?add=true'),
    webhook: `/settings/webhooks/${id}`,
    'webhook-edit': at(`/settings/webhooks/${id}?edit=true`),
  });
});

test("an owner's pages", async ({ browser }) => {
  const pod = await first('/api/provisioning/cloudpods?name_prefix=db-1');
  await lookAs(browser, OWNER, {
    'owner-overview': '/',
    'owner-cloudpods': '/provisioning/cloudpods',
    'owner-cloudpod': `/provisioning/cloudpods/${pod.id}`,
    'owner-cloudpod-new': ['/provisioning/cloudpods/new', (page) => createUntil(page, 2)],
    'owner-jobs': '/provisioning/jobs',
    'owner-users': '/users',
    'owner-tokens': '/users/tokens',
    'owner-audit': '/audit',
    'owner-tenant': '/settings/tenant',
    'owner-webhooks': '/settings/webhooks',
    'owner-account': '/account',
  });
});

test('the pages of who may only look, and what they may not look at', async ({ browser }) => {
  const pod = await first('/api/provisioning/cloudpods?name_prefix=db-1');
  await lookAs(browser, BILLING, {
    'billing-overview': '/',
    'billing-cloudpods': '/provisioning/cloudpods',
    'billing-cloudpod': `/provisioning/cloudpods/${pod.id}`,
    'billing-users': '/users',
    'billing-tenant': '/settings/tenant',
    'billing-account': '/account',
    'billing-refused': '/servers',
  });
});

test('a page that cannot be shown', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF);
  await page.route('**/api/auth/me', (route) => route.fulfill({ status: 500, body: 'broken' }));
  await lookAt(page, { error: '/users' });
  await check();
});
