// What the tests stand on: the control plane that `tests/suites/browser.rs` has started, and a page that must keep to its origin.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { type Browser, type BrowserContextOptions, expect, type Page, request } from '@playwright/test';

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: cargo nextest run -E 'binary(browser)' starts these tests`);
  return value;
}

export const URL = setting('MPANEL_URL');
export const PASSWORD = setting('MPANEL_PASSWORD');
export const STAFF = 'sam@staff.example';
/** Of the tenant whose the pods are. */
export const OWNER = 'ann@home.example';
export const BILLING = 'bill@home.example';

export interface Named {
  id: string;
  name: string;
}

/** A page whose `check` closes it, and fails the test for what the policy refused, for what broke in it or in another tab of its browser,
 * and for what they asked of others. */
export async function fresh(browser: Browser, options: BrowserContextOptions = {}): Promise<{ page: Page; check: () => Promise<void> }> {
  const context = await browser.newContext({ baseURL: URL, viewport: { width: 1360, height: 860 }, ...options });
  const faults: string[] = [];
  context.on('weberror', (error) => faults.push(`broke: ${error.error().message}`));
  context.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
  });
  context.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(URL)) faults.push(`asked ${request.url()}`);
  });
  const page = await context.newPage();
  const check = async () => {
    // One that stayed would go on listening to events, and reading what they are about.
    await context.close();
    expect(faults, 'nothing breaks, and nobody else is asked').toEqual([]);
  };
  return { page, check };
}

export async function signIn(page: Page, email: string, at = '/'): Promise<void> {
  await page.goto(at);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('navigation', { name: 'Modules' })).toBeVisible();
}

/** axe finds nothing to complain about. */
export async function accessible(page: Page, what: string): Promise<void> {
  // No page has a frame of another origin, and what is well need not be told: it takes a fifth of the time.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] }).analyze();
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join('\n  ')}`);
  expect(told, `${what} is accessible`).toEqual([]);
}

/** The platform's own token: for what is no part of a test, but has to be there. */
export async function api(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${setting('MPANEL_TOKEN')}`, 'content-type': 'application/json' };
  const answer = await fetch(URL + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true);
  return (await answer.json()) as Record<string, unknown>;
}

/** The first of a list. */
export async function first(path: string): Promise<Named> {
  const [item] = (await api('GET', path)).items as Named[];
  if (!item) throw new Error(`nothing at ${path}`);
  return item;
}

/** What the simulated Proxmox VE of the third host is to do wrong: with requests, or with tasks. */
export async function fault(method: 'POST' | 'DELETE', what?: unknown, of: 'faults' | 'task-faults' = 'faults'): Promise<void> {
  const headers = { authorization: `Bearer ${setting('SIM_CONTROL_TOKEN')}`, 'content-type': 'application/json' };
  const body = what === undefined ? {} : { body: JSON.stringify(what) };
  const answer = await fetch(`${setting('SIM_CONTROL_URL')}/${of}`, { method, headers, ...body });
  expect(answer.ok, `${method} /${of}: ${answer.status}`).toBe(true);
}

/** How the Proxmox VE of a host is reached: as its agent is told. */
export function proxmoxOf(host: string): { url: string; fingerprint: string; token: string } {
  const config = readFileSync(join(dirname(dirname(setting('AGENT_CONFIG'))), host, 'agent.toml'), 'utf8');
  const of = (name: string) => config.match(new RegExp(`^${name} = "(.*)"$`, 'm'))?.[1] ?? '';
  return { url: of('url'), fingerprint: of('fingerprint'), token: readFileSync(of('token_file'), 'utf8').trim() };
}

/** What somebody does in Proxmox VE itself, where mPanel does not know of it. */
export async function byHand(host: string, vmid: number, action: 'stop' | 'start'): Promise<void> {
  const { url, token } = proxmoxOf(host);
  const authorization = `PVEAPIToken=${token}`;
  const proxmox = await request.newContext({ ignoreHTTPSErrors: true, extraHTTPHeaders: { authorization } });
  const answer = await proxmox.post(`${url}/api2/json/nodes/${host}/qemu/${vmid}/status/${action}`);
  expect(answer.ok(), `${action} ${vmid} on ${host}: ${answer.status()}`).toBe(true);
  await proxmox.dispose();
}

/** Makes the first host one that VMs of other clusters can be sent to. */
export async function endpointSet(): Promise<void> {
  const { id } = await api('GET', '/api/platform/servers/pve1');
  const { url, fingerprint, token } = proxmoxOf('pve1');
  const { hostname: host, port } = new globalThis.URL(url);
  const body = { host, port: Number(port), fingerprint, token };
  await api('PUT', `/api/platform/servers/${id}/migration-endpoint`, body);
}

/** The third host's agent, enrolled by the command that the console shows. */
export function agentEnrol(command: string): void {
  const words = command.trim().split(/\s+/).filter((word) => word !== '\\');
  execFileSync(setting('AGENT'), [...words.slice(words.indexOf('mpanel-agent') + 1), '--config', setting('AGENT_CONFIG')]);
}

/** The third host's agent, running. */
export function agentRun(): ChildProcess {
  return spawn(setting('AGENT'), ['run', '--config', setting('AGENT_CONFIG')], { stdio: 'ignore' });
}

export const dialog = (page: Page) => page.getByRole('dialog').last();

/** A choice of a select of the component library, which is a text box. */
export async function choose(page: Page, name: string | RegExp, option: string | RegExp): Promise<void> {
  await page.getByRole('combobox', { name }).or(page.getByRole('textbox', { name })).first().click();
  await page.getByRole('option', { name: option }).first().click();
}

/** Nobody may load the page anew: what was noted in it is still there. */
export async function note(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(() => Object.assign(window, { noted: true }));
  return async () => expect(await page.evaluate(() => 'noted' in window), 'the page was not loaded anew').toBe(true);
}

/** A page with what is on it: while that is being read, there are skeletons. */
export async function settled(page: Page, what: string): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 }), what).toBeVisible();
  // What is on a tab that is not open waits until it is.
  await expect(page.locator('[data-visible="true"].mantine-Skeleton-root').filter({ visible: true }), what).toHaveCount(0);
}
