/**
 * docs/adapters.md, "Add Concordat to the service you have", as it is written: a Nest 11 service of
 * somebody else, our packages, and the stack that `concordat dev` starts outside of any clone. Every
 * command of the page is run, with ports and addresses of this test's own.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, spawnService, type Service } from '@concordat/testing';
import { Host, packTarballs, surroundings, type Tarballs } from './stage/host.js';
import { nest11 } from './stage/kinds.js';
import { blocksUnder } from './stage/page.js';

const [install, dev, start, transaction] = blocksUnder('Add Concordat to the service you have')
  .filter(({ language }) => language === 'sh')
  .map(({ text }) => text);

const PORTS = ['COORDINATOR', 'NATS', 'POSTGRES', 'LEDGER_EAST', 'LEDGER_WEST', 'INVENTORY'];

describe('A service that somebody has', () => {
  let tarballs: Tarballs;
  let discard: () => void = () => undefined;
  let host: Host;
  let env: Record<string, string>;
  let port: number;
  const running: Service[] = [];

  beforeAll(async () => {
    ({ tarballs, dispose: discard } = await packTarballs());
    host = await Host.make(nest11(false), tarballs, [...tarballs.keys()]);
    const ports = await Promise.all(PORTS.map(() => freePort()));
    env = Object.fromEntries(PORTS.map((name, i) => [`CONCORDAT_${name}_PORT`, String(ports[i])]));
    env = { ...env, CONCORDAT_PORT: env['CONCORDAT_COORDINATOR_PORT'] ?? '' };
    port = await freePort();
  }, 400_000);

  afterAll(async () => {
    for (const one of running.reverse()) await one.stop({ graceMs: 20_000 });
    await host?.dispose();
    discard();
  });

  /** A command of the page, with this test's addresses. */
  function here(command: string | undefined): string {
    const text = (command ?? '')
      .replace('localhost:7400', `127.0.0.1:${env['CONCORDAT_PORT']}`)
      .replace('localhost:3000', `127.0.0.1:${port}`)
      .replace('npx @concordat/cli', `exec node_modules/.bin/concordat`)
      .replace('node dist/main.js', 'exec node dist/main.js');
    expect(text).not.toMatch(/localhost/);
    return text;
  }

  async function keepRunning(
    command: string | undefined,
    readyWhen: string | (() => Promise<boolean>),
  ) {
    const service = await spawnService({
      name: 'a command of the page',
      command: 'bash',
      args: ['-ec', here(command)],
      cwd: host.folder,
      env: {
        ...surroundings(),
        ...env,
        PORT: String(port),
        NATS_URL: running.length === 0 ? '' : `nats://127.0.0.1:${env['CONCORDAT_NATS_PORT']}`,
      },
      readyWhen,
      readyTimeoutMs: 120_000,
    });
    running.push(service);
    return service;
  }

  it('installs what the page names', () => {
    expect(install).toMatch(/^npm install @concordat\/participant zod\n$/);
    expect(existsSync(join(host.folder, 'node_modules/@concordat/participant'))).toBe(true);
  });

  it('starts the stack in its own folder, with a database for itself', async () => {
    const stack = await keepRunning(dev, 'Ready after');
    expect(stack.output()).toContain('committed');
    expect(existsSync(join(host.folder, '.concordat/dev.json'))).toBe(true);
  });

  it('builds and starts as ever', async () => {
    await keepRunning(start, async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      return answer?.ok === true;
    });
    expect(existsSync(join(host.folder, 'dist/main.js'))).toBe(true);
  });

  it('takes part in its first transaction, and in one that is refused', async () => {
    const said = await host.run('bash', ['-ec', here(transaction)]);
    expect(said).toContain('"status":"committed"');
    const tooMuch = here(transaction).replaceAll('"amount": 100', '"amount": 10000');
    const onlyTransaction = tooMuch.split('\n').slice(1).join('\n');
    expect(await host.run('bash', ['-ec', onlyTransaction])).toContain('INSUFFICIENT_FUNDS');
    const alice = await fetch(`http://127.0.0.1:${port}/accounts/alice`);
    expect(await alice.json()).toEqual({ id: 'alice', balance: 900 });
  });

  it('shows the admin view, which is part of the packages', async () => {
    const answer = await fetch(`http://127.0.0.1:${env['CONCORDAT_PORT']}/admin/`);
    expect([answer.status, await answer.text()]).toEqual([
      200,
      expect.stringContaining('/assets/'),
    ]);
  });
});
