// A second factor as people have it: switched on in the account, asked for at the sign-in, and a recovery code where the authenticator
// is lost.
import { createHmac } from 'node:crypto';
import { expect, type Page, test } from '@playwright/test';
import { accessible, api, first, fresh, PASSWORD, signIn, STAFF } from './stage';

const EMAIL = 'tom@home.example';
const STEP_S = 30;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The time step of now: its code is good for the step after it too, and once. */
const stepNow = () => Math.floor(Date.now() / 1000 / STEP_S);

/** What an authenticator shows at a time step (RFC 6238). */
function codeOf(secret: string, step: number): string {
  const bits = [...secret.replaceAll(/[\s=]/g, '')].map((one) => BASE32.indexOf(one).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Account and appearance' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
}

/** Until the second factor is asked for. */
async function passwordGiven(page: Page): Promise<void> {
  await page.getByLabel('E-mail address').fill(EMAIL);
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Second factor', level: 1 })).toBeVisible();
}

test('a second factor is switched on, asked for, and replaced by a recovery code', async ({ browser }) => {
  const tenant = await first('/api/admin/tenants?name_prefix=Default');
  await api('POST', '/api/platform/users', { email: EMAIL, name: 'Tom', password: PASSWORD, tenant_id: tenant.id, role: 'MEMBER' });
  const { page, check } = await fresh(browser);
  await signIn(page, EMAIL, '/account');
  const section = page.getByRole('region', { name: 'Second factor' });
  await section.getByRole('button', { name: 'Set up' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Your password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Go on' }).click();
  const secret = await dialog.getByLabel('Secret for the authenticator', { exact: true }).innerText();
  await accessible(page, 'the code for the authenticator');
  await dialog.getByRole('textbox', { name: 'Code', exact: true }).fill('000000');
  await dialog.getByRole('button', { name: 'Switch it on' }).click();
  await expect(dialog.getByText(/code/i).last()).toBeVisible();
  const step = stepNow();
  await dialog.getByRole('textbox', { name: 'Code', exact: true }).fill(codeOf(secret, step));
  await dialog.getByRole('button', { name: 'Switch it on' }).click();
  const [recovery] = (await dialog.getByLabel('Recovery codes', { exact: true }).innerText()).split('\n');
  if (!recovery) throw new Error('no recovery code is shown');
  await accessible(page, 'the recovery codes');
  await dialog.getByRole('button', { name: 'I have kept them' }).click();
  await expect(section.getByText('On', { exact: true })).toBeVisible();
  await signOut(page);

  await passwordGiven(page);
  await accessible(page, 'the second step of the sign-in');
  await page.getByLabel('Code').fill(codeOf(secret, step));
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('alert'), 'a code is good once').toBeVisible();
  await page.getByLabel('Code').fill(codeOf(secret, step + 1));
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('navigation', { name: 'Modules' })).toBeVisible();
  await signOut(page);

  await passwordGiven(page);
  await page.getByRole('button', { name: 'Use a recovery code' }).click();
  await page.getByLabel('Recovery code').fill(recovery);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('navigation', { name: 'Modules' })).toBeVisible();
  await page.goto('/account');
  await expect(section.getByText(/recovery codes are left/)).toBeVisible();
  await check();
});

test('who has lost both is let in anew by the staff', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, `/users/accounts?email_prefix=${EMAIL}`);
  const row = page.getByRole('row', { name: new RegExp(EMAIL) });
  await expect(row.getByText('On', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: `Actions for ${EMAIL}` }).click();
  await page.getByRole('menuitem', { name: 'Let in anew' }).click();
  const dialog = page.getByRole('dialog').last();
  await dialog.getByLabel(/^Type/).fill(EMAIL);
  await dialog.getByRole('button', { name: 'Let in anew' }).click();
  const link = await dialog.getByLabel('Link to set a password', { exact: true }).innerText();
  await accessible(page, 'the link for who is let in anew');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(row.getByText('Off', { exact: true })).toBeVisible();
  const theirs = await fresh(browser);
  await theirs.page.goto(link.slice(link.indexOf('/', link.indexOf('//') + 2)));
  await theirs.page.getByLabel(/password/i).first().fill(PASSWORD);
  await theirs.page.getByRole('button', { name: 'Set it' }).click();
  await expect(theirs.page.getByRole('heading', { name: 'Your password is set' })).toBeVisible();
  await signIn(theirs.page, EMAIL, '/sign-in');
  await check();
  await theirs.check();
});
