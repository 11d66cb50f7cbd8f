/**
 * Starts that meet a database which is away, or lose it in the middle, and participants that are killed
 * while they start. Each step waits and explains alike, and what a killed start leaves is gone with the
 * next one. Every statement of a start is cut in start.nightly.ts.
 */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { spawn } from 'node:child_process';
import { jest } from '@jest/globals';
import { freePort, startPostgres, waitFor } from '@concordat/testing';
import { completion, statement, type Predicate } from './proxy/frame.js';
import type { Action } from './proxy/rule.js';
import { Starts, asking, eachOf } from './stage/starts.js';

jest.setTimeout(120_000);

const ROOT = resolve(import.meta.dirname, '../..');

describe('A start', () => {
  let starts: Starts;

  beforeAll(async () => {
    starts = await Starts.open();
  });

  afterAll(() => starts.dispose());

  describe('whose database connection is cut', () => {
    type Cut = readonly [what: string, at: Predicate, cut: Action, nth?: number];

    const OF_A_PARTICIPANT: readonly Cut[] = [
      ['its first connection', asking, 'cut-after'],
      ['the migration lock', statement(/pg_advisory_xact_lock/), 'cut-before'],
      ['a migration', statement(/^CREATE TABLE/), 'cut-after'],
      ['the end of the migration', statement(/^COMMIT/), 'cut-after'],
      ['the look at the table', statement(/has_table_privilege/), 'cut-before'],
      ['the prepare of its probe', statement(/^PREPARE TRANSACTION/), 'cut-before'],
      ['the prepared probe', completion(/^PREPARE TRANSACTION/), 'cut-before'],
      ['the end of its probe', statement(/^ROLLBACK PREPARED/), 'cut-before'],
    ];

    it('waits for it, as a participant, in every step', () =>
      eachOf(OF_A_PARTICIPANT, async ([what, at, cut, nth]) => {
        const ground = await starts.ground();
        const rule = ground.proxy.rule(what, at, cut, { nth });
        await starts.on(ground, starts.participant(ground), async () => {
          expect(rule.hits).toBe(1);
          expect(await starts.prepared(ground)).toEqual([]);
          expect(ground.said.join()).toMatch(/waiting for the database: |does not listen yet: /);
        });
      }));

    const OF_A_COORDINATOR: readonly Cut[] = [
      ['the look at the server', statement(/pg_is_in_recovery/), 'cut-before'],
      ['the connection that migrates', asking, 'cut-after', 6],
      ['the migration lock', statement(/pg_advisory_lock/), 'cut-after'],
      ['the end of a migration', statement(/^COMMIT/), 'cut-after'],
      ['the cluster’s id', statement(/INSERT INTO concordat.cluster/), 'cut-before'],
      ['its place on the list', statement(/INTO concordat.coordinator/), 'cut-after'],
    ];

    it('waits for it, as a coordinator, in every step', () =>
      eachOf(OF_A_COORDINATOR, async ([what, at, cut, nth]) => {
        const ground = await starts.ground();
        const rule = ground.proxy.rule(what, at, cut, { nth });
        await starts.on(ground, starts.coordinator(ground), async () => {
          expect(rule.hits).toBe(1);
        });
      }));
  });

  it('waits for a server that is starting up', async () => {
    // A standby that takes no connections says the same as a server that is recovering.
    const server = await startPostgres({ settings: { hot_standby: 'off' } });
    try {
      const url = await server.createDatabase('late');
      await server.stop();
      await writeFile(join(server.dataDir, 'standby.signal'), '');
      const up = server.start();
      const ground = await starts.ground();
      const participant = starts.participant({ ...ground, url });
      await waitFor(() => /not accepting connections|starting up/.test(ground.said.join()), {
        what: 'the participant to have to wait',
      });
      await writeFile(join(server.dataDir, 'promote'), '');
      process.kill(server.pid ?? 0, 'SIGUSR1');
      await up;
      await starts.on(ground, participant, async () => undefined);
    } finally {
      await server.dispose();
    }
  });

  /** Starts a service on a database that is not there, and resolves with how it ended. */
  async function startWithoutDatabase(
    app: string,
  ): Promise<{ code: unknown; said: string; told: string }> {
    const child = spawn(process.execPath, [join(ROOT, 'apps', app, 'dist/main.js')], {
      env: {
        PATH: process.env['PATH'],
        PARTICIPANT_NAME: 'late',
        DATABASE_URL: `postgres://late:very-secret@127.0.0.1:${await freePort()}/late`,
        NATS_URL: starts.stack.nats.url,
        PORT: '0',
        CONCORDAT_START_WAIT_MS: '2000',
        CONCORDAT_CLIENT_KEY_SHA256: 'a'.repeat(64),
        LOG_LEVEL: 'warn',
        CONCORDAT_ANSWER_MAX: '5',
      },
    });
    let told = '';
    let said = '';
    child.stderr.on('data', (chunk) => (told += String(chunk)));
    child.stdout.on('data', (chunk) => (said += String(chunk)));
    const code = await new Promise((done) => child.once('close', done));
    return { code, said, told };
  }

  it('names the variable that nothing reads, and ends with cause and remedy when its time is over', async () => {
    const apps = ['coordinator', 'ledger', 'inventory'];
    for (const { code, said, told } of await Promise.all(apps.map(startWithoutDatabase))) {
      expect(code).toBe(1);
      expect(told).toMatch(/^[^\n]*\b2 s\b[^\n]*ECONNREFUSED[^\n]*\nRemedy: start it[^\n]*\n$/);
      expect(said).toMatch(/CONCORDAT_ANSWER_MAX is not a setting, and is ignored/);
      expect(said).toMatch(/waiting/);
      expect(said + told).not.toMatch(/very-secret/);
    }
  });

  describe('that is killed', () => {
    type Point = readonly [what: string, at: Predicate];

    const POINTS: readonly Point[] = [
      ['waiting for the migration lock', completion(/pg_advisory_xact_lock\(7/)],
      ['before its migration ends', statement(/^COMMIT/)],
      ['with its probe at work', statement(/^PREPARE TRANSACTION/)],
      ['with its probe prepared', completion(/^PREPARE TRANSACTION/)],
      ['with its probe seen', completion(/pg_prepared_xacts WHERE gid = /)],
      ['before the end of its probe', statement(/^ROLLBACK PREPARED/)],
      ['after the end of its probe', completion(/^ROLLBACK PREPARED/)],
    ];

    it('leaves nothing that the next start does not take away at once', () =>
      eachOf(POINTS, async ([what, at]) => {
        const ground = await starts.ground();
        const held = ground.proxy.rule(what, at, 'hold');
        await starts.killedAt(ground, held);
        ground.proxy.cutAll();
        held.lift();
        await starts.on(ground, starts.participant(ground), async () => {
          expect(await starts.prepared(ground)).toEqual([]);
        });
        await waitFor(async () => (await starts.sessions(ground)) === 0, {
          what: `no session to be left of a start killed ${what}`,
        });
      }));
  });
});
