/**
 * docker-compose.yml, held against what it starts: nothing in it may be unknown to the service, missing
 * from the repository, open to the world or secret by default; and its topology runs, on real servers with
 * the broker's permissions in force. No Docker is needed, and none is used. The runbook of
 * docs/runbooks.md, with its neighbours, is tried on the same stage: every statement, every route, and the two ways out that
 * are otherwise not tried before they are needed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AdminClient, ConcordatClient } from '@concordat/client';
import { waitFor } from '@concordat/testing';
import { readDevConfig } from '../../apps/cli/src/cli.config.js';
import { readCoordinatorConfig } from '../../apps/coordinator/src/platform/coordinator.config.js';
import { readInventoryConfig } from '../../apps/inventory/src/inventory.config.js';
import { readLedgerConfig } from '../../apps/ledger/src/ledger.config.js';
import {
  interpolations,
  makeSecrets,
  readComposeFile,
  ROOT,
  type ComposeService,
} from './compose-file.js';
import { ComposedTopology, settingsOf } from './composed-topology.js';

const secrets = makeSecrets();
const file = readComposeFile(secrets.variables);
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');
const page = ['deploy', 'monitor', 'runbooks'].map((name) => read(`docs/${name}.md`)).join('\n');
const built = Object.entries(file.services).filter(([, one]) => one.build);
const participants = ['ledger-east', 'ledger-west', 'inventory'];

const CONFIGS: Record<string, { source: string; read: (env: Record<string, string>) => unknown }> =
  {
    coordinator: {
      source: 'apps/coordinator/src/platform/coordinator.config.ts',
      read: readCoordinatorConfig,
    },
    ledger: { source: 'apps/ledger/src/ledger.config.ts', read: readLedgerConfig },
    inventory: { source: 'apps/inventory/src/inventory.config.ts', read: readInventoryConfig },
  };

describe('docker-compose.yml', () => {
  it('starts with made secrets only: each must be set, and each is made', () => {
    for (const { rest } of interpolations()) expect(rest).toMatch(/^:\?run node deploy\/secrets/);
    const asked = new Set(interpolations().map((one) => one.name));
    expect([...asked].sort()).toEqual(Object.keys(secrets.variables).sort());
    expect(new Set(Object.values(secrets.variables)).size).toBe(asked.size);
    for (const value of Object.values(secrets.variables)) expect(value.length).toBeGreaterThan(31);
  });

  it('gets secrets whose keys are shown once and that are never overwritten', () => {
    for (const key of [secrets.clientKey, secrets.operatorKey]) {
      expect(key.length).toBeGreaterThan(31);
      expect(secrets.text).not.toContain(key);
    }
    expect(secrets.refusal).toContain('is there already and stays as it is');
  });

  it.each(built)('gives %s only variables that it knows, with values that it takes', (_, one) => {
    const config = CONFIGS[one.build?.args['APP'] ?? ''];
    const known = read(config?.source ?? '');
    for (const name of Object.keys(one.environment)) {
      expect(known).toMatch(new RegExp(`^ {2}${name}:`, 'm'));
    }
    expect(() => config?.read({ ...one.environment })).not.toThrow();
  });

  it('names only files that there are', () => {
    for (const [, one] of Object.entries(file.services)) {
      if (one.build) expect(existsSync(resolve(ROOT, one.build.dockerfile))).toBe(true);
      for (const [source = '', , mode] of (one.volumes ?? []).map((mount) => mount.split(':'))) {
        if (source.startsWith('.')) {
          expect(existsSync(resolve(ROOT, source))).toBe(true);
          expect(mode).toBe('ro');
        } else expect(Object.keys(file.volumes)).toContain(source);
      }
    }
  });

  it('has the ports of npm start, on loopback only', () => {
    const { ports } = readDevConfig(ROOT, {});
    const expected: Record<string, number> = {
      postgres: ports.postgres,
      nats: ports.nats,
      coordinator: ports.coordinator,
      'ledger-east': ports.ledgerEast,
      'ledger-west': ports.ledgerWest,
      inventory: ports.inventory,
    };
    expect(Object.keys(file.services).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, one] of Object.entries(file.services)) {
      const inside = one.environment['PORT'] ?? { postgres: '5432', nats: '4222' }[name] ?? '';
      expect(one.ports).toEqual([`127.0.0.1:${expected[name] ?? 0}:${inside}`]);
    }
  });

  it('runs everything unprivileged, on a root that cannot be written', () => {
    const image = read('apps/Dockerfile');
    expect(image.match(/^USER .+$/gm)).toEqual(['USER node']);
    for (const [name, one] of Object.entries(file.services)) {
      expect({ name, ...hardeningOf(one) }).toEqual({
        name,
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        unprivileged: true,
      });
    }
  });

  it('pins images, and a broker without the known authorization flaws', () => {
    const images = Object.values(file.services).flatMap((one) => one.image ?? []);
    const bases = [...read('apps/Dockerfile').matchAll(/^FROM (\S+:\S+)/gm)].map((one) => one[1]);
    for (const image of [...images, ...bases]) expect(image).toMatch(/^[a-z]+:\d+/);
    const [, minor = 0, patch = 0] = /nats:2\.(\d+)\.(\d+)/.exec(images.join())?.map(Number) ?? [];
    expect(minor > 12 || (minor === 12 && patch >= 7)).toBe(true);
  });

  it('compiles with all that the compiler and the bundler need, which is optional packages', () => {
    const [compiled = ''] = read('apps/Dockerfile').split('AS gathered');
    expect(compiled).toMatch(/npm install [^\n]*--include=optional[\s\S]*\btsc -b/);
    expect(compiled).not.toContain('--omit');
  });

  it('has more prepared slots than its participants may fill together', () => {
    const limits = participants.map((name) =>
      Number(file.services[name]?.environment['CONCORDAT_IN_DOUBT_MAX']),
    );
    const slots = Number(settingsOf(file)['max_prepared_transactions']);
    expect(limits.reduce((sum, one) => sum + one, participants.length)).toBeLessThan(slots);
  });

  it('lets a stop end by itself', () => {
    for (const [, one] of built) {
      const drainMs = 10_000;
      const noticeMs = 2_000;
      const needed = Math.max(noticeMs + drainMs + 20_000, 2 * drainMs);
      expect(Number.parseInt(one.stop_grace_period, 10) * 1_000).toBeGreaterThan(needed);
    }
  });
});

function hardeningOf(one: ComposeService): Record<string, unknown> {
  const { read_only, cap_drop, security_opt, user, build } = one;
  const unprivileged = build !== undefined || !['', '0', 'root'].includes(user ?? '');
  return { read_only, cap_drop, security_opt, unprivileged };
}

describe('The composed topology', () => {
  let stage: ComposedTopology;
  const client = (key = secrets.clientKey, at = 'coordinator'): ConcordatClient =>
    new ConcordatClient({ url: stage.url(at), apiKey: key, retries: 0 });
  const operator = async (path: string, body?: unknown, at = 'coordinator') => {
    const response = await fetch(`${stage.url(at)}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${secrets.operatorKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const prepared = async (): Promise<unknown[]> =>
    stage.sql('postgres', `SELECT gid FROM pg_prepared_xacts WHERE starts_with(gid, 'cc:')`);
  const branch = (participant: string, name: string, input: unknown) => ({
    participant,
    operations: [{ name, input }],
  });
  const purchase = () => ({
    label: 'purchase',
    timeoutMs: 10_000,
    branches: [
      branch('ledger-east', 'debit', { account: 'alice', amount: 100 }),
      branch('ledger-west', 'credit', { account: 'bob', amount: 100 }),
      branch('inventory', 'reserve', { sku: 'lamp', quantity: 1 }),
    ],
  });

  beforeAll(async () => {
    stage = await ComposedTopology.start(secrets);
    await stage.launch('coordinator');
    await Promise.all(participants.map((name) => stage.launch(name)));
    for (const one of [
      branch('ledger-east', 'open', { account: 'alice', amount: 1_000 }),
      branch('ledger-west', 'open', { account: 'bob', amount: 1_000 }),
      branch('inventory', 'stock', { sku: 'lamp', quantity: 10 }),
    ]) {
      await client().transactions.submit({ branches: [one] }, { until: 'completed' });
    }
  });

  afterAll(() => stage.dispose());

  it('commits across all three participants', async () => {
    const done = await client().transactions.submit(purchase(), { until: 'completed' });
    expect(done.status).toBe('committed');
    expect(done.branches.map((one) => one.outputs?.[0])).toEqual([
      { balance: 900 },
      { balance: 1_100 },
      expect.objectContaining({ available: 9 }),
    ]);
  });

  it('keeps services out of each other’s databases', async () => {
    const intrusion = stage.sqlElsewhere('ledger-east', 'ledger_west', 'SELECT');
    await expect(intrusion).rejects.toThrow('permission denied for database "ledger_west"');
  });

  it('has health checks that distinguish ready from not', () => {
    for (const [name, one] of built) {
      const [, command = '', ...args] = one.healthcheck.test;
      expect(command).toBe('node');
      const check = (port: string) => () =>
        execFileSync(process.execPath, args, { env: { PORT: port }, stdio: 'ignore' });
      expect(check(new URL(stage.url(name)).port)).not.toThrow();
      expect(check('1')).toThrow();
    }
  });

  it('takes over what a dead coordinator decided, with the broker’s permissions in force', async () => {
    await stage.launch('coordinator', { as: 'doomed', crash: 'decide.post=kill' });
    await expect(
      client(secrets.clientKey, 'doomed').transactions.submit(purchase()),
    ).rejects.toThrow();
    await stage.service('doomed').exited;
    await waitFor(async () => (await prepared()).length === 0, { what: 'nothing to be in doubt' });
    await waitFor(
      async () =>
        (await stage.sql('concordat', 'SELECT FROM concordat.decision WHERE ended_at IS NULL'))
          .length === 0,
      { what: 'every commit to end' },
    );
    const [east] = await stage.sql('ledger-east', `SELECT balance FROM account WHERE id = 'alice'`);
    expect(Number(east?.['balance'])).toBe(800);
  });

  it('is never refused a subject by the broker', () => {
    expect(stage.output()).toContain('takes part in cluster');
    expect(stage.output()).not.toMatch(/not-permitted|permissions violation/i);
  });

  describe('The runbooks of docs/runbooks.md', () => {
    const statements = [...page.matchAll(/```sql\n-- (participant|register): ([\s\S]*?)```/g)].map(
      (match) => ({ where: match[1] as string, text: `-- ${match[2] as string}` }),
    );

    it('has statements that run, in the database they are for, and only read', async () => {
      expect(statements.length).toBe([...page.matchAll(/```sql/g)].length);
      expect(statements.length).toBeGreaterThan(6);
      for (const { where, text } of statements) {
        const database = where === 'register' ? 'concordat' : 'ledger-east';
        await stage.sql(database, `BEGIN READ ONLY; ${text}; ROLLBACK`);
      }
    });

    it('calls routes that there are', async () => {
      const document = (await operator('/openapi.json')).body;
      const routes = Object.keys(document['paths'] as object).map((path) =>
        path.replace('{id}', '$TX').replace('{name}', '$NAME'),
      );
      const called = [...page.matchAll(/"\$URL(\/[^"?]*)/g)].map((match) => match[1] as string);
      expect(called.length).toBeGreaterThan(6);
      for (const path of called) expect(routes).toContain(path);
      for (const [, path] of page.matchAll(/`GET (\/[^`?]*)`/g)) expect(routes).toContain(path);
      expect((await operator('/v1/transactions?stuck=true&participant=ledger-west')).status).toBe(
        200,
      );
    });

    it('ends a commit whose participant is permanently gone: its name on an empty database', async () => {
      const [before] = await stage.sql('ledger-east', `SELECT balance FROM account`);
      await stage.launch('coordinator', { as: 'second', crash: 'commit.pre@ledger-west=hang' });
      const { transactionId } = await client(secrets.clientKey, 'second').transactions.submit(
        purchase(),
      );
      await waitFor(async () => (await prepared()).length === 0, { what: 'all to be finished' });
      // In this order: while the second lives, no other process asks the west what it came to.
      await stage.service('ledger-west').stop();
      stage.service('second').kill('SIGKILL');

      await stage.sql('postgres', 'CREATE DATABASE replacement OWNER ledger_west');
      const empty = stage.databaseUrl('ledger-west', 'replacement');
      await stage.launch('ledger-west', { env: { DATABASE_URL: empty } });
      const path = `/v1/transactions/${transactionId}`;
      await waitFor(async () => (await operator(path)).body['status'] === 'heuristic-mixed', {
        what: 'the missing branch to be reported as such',
        timeoutMs: 30_000,
      });
      expect(JSON.stringify((await operator(path)).body['branches'])).toContain(
        '"found":"missing"',
      );
      const apiKey = secrets.operatorKey;
      const admin = new AdminClient({ url: stage.url('coordinator'), apiKey, retries: 0 });
      const { etag } = await admin.transaction(transactionId);
      const told = { action: 'acknowledge', reason: 'bob credited again', ticket: '1' } as const;
      const { transaction } = await admin.act(transactionId, told, etag);
      expect(transaction).toMatchObject({ resolved: { by: 'operator' } });
      const [after] = await stage.sql('ledger-east', `SELECT balance FROM account`);
      expect(Number(after?.['balance'])).toBe(Number(before?.['balance']) - 100);
    });
  });
});
