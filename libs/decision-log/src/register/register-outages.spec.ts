/**
 * The register while its database dies, hangs or is unreachable: what was answered stays on record, what was
 * not answered is unknown, and no call hangs or returns something false.
 */
import { RegisterUnknown, type Decided, type Proposal } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import type pg from 'pg';
import { DecisionLogStage } from '../../../../test/conformance/decision-log-stage.js';
import {
  abortOf,
  commitOf,
  freshTransaction,
  standingIn,
} from '../../../../test/conformance/decision-register.js';
import type { DecisionLog } from '../decision-log.js';

let stage: DecisionLogStage;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

interface Heard {
  readonly answered: Map<TransactionId, Decided>;
  readonly unknown: Set<TransactionId>;
}

/** Decides without pause until stopped, or until it does not know; every answer is remembered. */
async function decideUntil(log: DecisionLog, heard: Heard, stop: () => boolean): Promise<void> {
  while (!stop()) {
    const transaction = freshTransaction();
    try {
      heard.answered.set(transaction, await log.register.decide(commitOf(transaction)));
    } catch (error) {
      expect(error).toBeInstanceOf(RegisterUnknown);
      heard.unknown.add(transaction);
      return;
    }
  }
}

/** Asks until the register answers, as every caller does. */
function decideAtLast(log: DecisionLog, proposal: Proposal): Promise<Decided> {
  return waitFor(() => log.register.decide(proposal), { what: 'the register to answer' });
}

async function onceUp(log: DecisionLog): Promise<void> {
  await waitFor(async () => (await log.health()).ready, { what: 'the register to answer again' });
}

describe('a database that dies while 32 deciders are at it', () => {
  it.each(['immediate', 'kill'] as const)(
    'has everything that was answered after a restart (%s), and answers truthfully about the rest',
    async (how) => {
      const log = await stage.log(await stage.database());
      for (let crash = 0; crash < 3; crash++) {
        const heard: Heard = { answered: new Map(), unknown: new Set() };
        let over = false;
        const deciders = Array.from({ length: 32 }, () => decideUntil(log, heard, () => over));
        await waitFor(() => heard.answered.size > 200 * (crash + 1), {
          what: 'decisions',
          everyMs: 1,
        });
        if (how === 'kill') await stage.server.kill();
        else await stage.server.stop({ mode: 'immediate' });
        over = true;
        await Promise.all(deciders);
        expect(heard.unknown.size).toBeGreaterThan(0);
        await stage.server.start();
        await onceUp(log);
        for (const [transaction, decided] of heard.answered) {
          const again = await log.register.standing(transaction);
          expect(again).toEqual(standingIn(decided));
        }
        for (const transaction of heard.unknown) {
          // It may have landed or not; a caller that asks now gets what is on record, and so do all others.
          const before = await log.register.standing(transaction);
          const decided = await decideAtLast(log, abortOf(transaction));
          expect(standingIn(decided).decision).toBe(before?.decision ?? 'abort');
        }
      }
    },
    60_000,
  );

  it('is found again by the same log, after it was away', async () => {
    const log = await stage.log(await stage.database());
    const transaction = freshTransaction();
    await log.register.decide(commitOf(transaction));
    log.register.noteEnded(transaction, 'committed', 1);
    await stage.server.stop({ mode: 'immediate' });
    await expect(log.register.decide(commitOf(freshTransaction()))).rejects.toThrow(
      RegisterUnknown,
    );
    for (const question of [
      () => log.register.standing(transaction),
      () => log.register.holderOf('teller:none'),
      () => log.register.unfinishedFinishers(),
      () => log.register.oldestUnfinished(),
      () => log.register.lowWaterMark(),
      () => log.register.prune(0),
    ]) {
      await expect(question()).rejects.toThrow(RegisterUnknown);
    }
    const health = await log.health();
    expect(health).toMatchObject({ ready: false });
    expect(health.problems[0]).toMatch(/does not answer: .*Decisions wait/);
    await stage.server.start();
    await onceUp(log);
    // The noted end was kept over the outage, and written afterwards or found lost and repeated.
    await waitFor(async () => (await log.register.standing(transaction))?.endedAtMs, {
      what: 'the noted end to be written',
    });
  });
});

describe('a database that hangs', () => {
  let log: DecisionLog;
  let dba: pg.Client;

  beforeEach(async () => {
    const url = await stage.database();
    log = await stage.log(url, { answerWithinMs: 1_000 });
    dba = await stage.dba(url);
  });

  async function pidOf(purpose: string): Promise<number> {
    const { rows } = await dba.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = $1`,
      [`concordat ${purpose}`],
    );
    return rows[0]?.pid as number;
  }

  it('makes a decide unknown in time; the late effect and the repeat agree', async () => {
    await decideAtLast(log, commitOf(freshTransaction()));
    const backend = await pidOf('decisions');
    const transaction = freshTransaction();
    process.kill(backend, 'SIGSTOP');
    try {
      await expect(log.register.decide(commitOf(transaction))).rejects.toThrow(RegisterUnknown);
      // Another connection is opened; meanwhile other proposals are not delayed.
      const meanwhile = await decideAtLast(log, abortOf(transaction));
      expect(standingIn(meanwhile).decision).toBe('abort');
    } finally {
      process.kill(backend, 'SIGCONT');
    }
    await waitFor(async () => (await pidOf('decisions')) !== backend, { what: 'the old backend' });
    expect(standingIn(await decideAtLast(log, commitOf(transaction))).decision).toBe('abort');
  });

  it('waits for what another session is inserting, as long as it may, and then calls it unknown', async () => {
    const transaction = freshTransaction();
    await dba.query('BEGIN');
    await dba.query(
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches)
       VALUES ($1, 'commit', 'a0000000', '[]')`,
      [transaction],
    );
    await expect(log.register.decide(abortOf(transaction))).rejects.toThrow(/did not answer/);
    expect(await log.register.standing(transaction)).toBeUndefined();
    await dba.query('COMMIT');
    expect(standingIn(await decideAtLast(log, abortOf(transaction))).decision).toBe('commit');
  });

  it('keeps no caller waiting for more than the batch in flight, however many wait', async () => {
    await decideAtLast(log, commitOf(freshTransaction()));
    const backend = await pidOf('decisions');
    process.kill(backend, 'SIGSTOP');
    try {
      const began = performance.now();
      const waiting: Promise<Decided>[] = [];
      // Ten batches' worth: in turn, they would wait for ten time-outs.
      for (let at = 0; at < 2_560; at++) {
        waiting.push(log.register.decide(commitOf(freshTransaction())));
      }
      const settled = await Promise.allSettled(waiting);
      expect(settled.every((one) => one.status === 'rejected')).toBe(true);
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      process.kill(backend, 'SIGCONT');
    }
  });

  it('does not hang a client that connects to it', async () => {
    const postmaster = stage.server.pid as number;
    process.kill(postmaster, 'SIGSTOP');
    try {
      await expect(log.register.decide(abortOf(freshTransaction()))).rejects.toThrow(
        RegisterUnknown,
      );
      await expect(log.register.standing(freshTransaction())).rejects.toThrow(RegisterUnknown);
      expect((await log.health()).ready).toBe(false);
    } finally {
      process.kill(postmaster, 'SIGCONT');
    }
    await onceUp(log);
  });
});

/** Of the coordinators: new ones get the defaults as they are now. */
const END_SESSIONS = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
   WHERE datname = current_database() AND usename = 'coordinator'`;

describe('a database that is no longer what it was', () => {
  it('is reported once its settings let it forget, and no new connection decides on it', async () => {
    const url = await stage.database();
    const log = await stage.log(url);
    const dba = await stage.dba(url);
    await dba.query('ALTER SYSTEM SET fsync = off');
    await dba.query('SELECT pg_reload_conf()');
    await waitFor(async () => !(await log.health()).ready, { what: 'health to see fsync=off' });
    expect((await log.health()).problems[0]).toContain('ALTER SYSTEM SET fsync = on');
    await expect(log.register.decide(abortOf(freshTransaction()))).rejects.toThrow(/fsync=off/);
    await dba.query('ALTER SYSTEM RESET fsync');
    await dba.query('SELECT pg_reload_conf()');
    await onceUp(log);
    expect((await decideAtLast(log, abortOf(freshTransaction()))).kind).toBe('on-record');
  });

  it('is reported once its sessions are read-only, and none of them decides', async () => {
    const url = await stage.database();
    const log = await stage.log(url);
    const dba = await stage.dba(url);
    const name = new URL(url).pathname.slice(1);
    await dba.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await dba.query(END_SESSIONS);
    await waitFor(async () => !(await log.health()).ready, { what: 'health to see it' });
    await expect(log.register.decide(abortOf(freshTransaction()))).rejects.toThrow(/read-only/);
    await dba.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await dba.query(END_SESSIONS);
    await onceUp(log);
    expect((await decideAtLast(log, abortOf(freshTransaction()))).kind).toBe('on-record');
  });

  it('is reported once it answers but takes no decision, until it takes one', async () => {
    const url = await stage.database();
    const log = await stage.log(url);
    const dba = await stage.dba(url);
    await dba.query(`
      CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END$$;
      CREATE TRIGGER no_room BEFORE INSERT ON concordat.decision
        FOR EACH ROW EXECUTE FUNCTION no_room()`);
    const waiting = decideAtLast(log, commitOf(freshTransaction()));
    await expect(log.register.decide(abortOf(freshTransaction()))).rejects.toThrow(/no room/);
    await waitFor(async () => !(await log.health()).ready, { what: 'health to see it' });
    expect((await log.health()).problems).toEqual([expect.stringMatching(/no room.*its disk/)]);
    await dba.query('DROP TRIGGER no_room ON concordat.decision');
    expect((await waiting).kind).toBe('on-record');
    expect((await log.health()).ready).toBe(true);
  });

  it('is not decided on when the URL leads to another cluster', async () => {
    const url = await stage.database();
    const log = await stage.log(url);
    const dba = await stage.dba(url);
    const name = new URL(url).pathname.slice(1);
    const root = await stage.dba(stage.server.url());
    const other = await stage.database();
    await stage.shut(await stage.log(other));
    await dba.end();
    await root.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [
      name,
    ]);
    await waitFor(
      async () => {
        await root.query(`ALTER DATABASE ${name} RENAME TO moved_away`);
        return true;
      },
      { what: 'the database to be free' },
    );
    await root.query(`ALTER DATABASE ${new URL(other).pathname.slice(1)} RENAME TO ${name}`);
    await expect(log.register.decide(abortOf(freshTransaction()))).rejects.toThrow(
      /another decision database/,
    );
  });
});
