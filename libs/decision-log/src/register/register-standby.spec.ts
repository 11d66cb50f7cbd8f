/**
 * The register while its server waits for a synchronous standby that is away. Guards "durable before it is told":
 * a failover to a standby loses nothing that was answered, also where somebody ends a wait on the primary.
 */
import { RegisterUnknown } from '@concordat/engine';
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { DecisionLogStage } from '../../../../test/conformance/decision-log-stage.js';
import {
  abortOf,
  commitOf,
  evidence,
  freshTransaction,
  standingIn,
} from '../../../../test/conformance/decision-register.js';
import { withoutStandby } from '../../../../test/conformance/without-standby.js';

const KEY = 'client:once';

/** Ends the wait of the session that does this work, once it waits. */
const END_WAIT = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = $1 AND wait_event = 'SyncRep'`;

describe('a register whose standby is away', () => {
  let stage: DecisionLogStage;
  let dba: pg.Pool;
  let url: string;

  beforeAll(async () => {
    stage = await DecisionLogStage.open();
    url = await stage.database();
    const database = decodeURIComponent(new URL(url).pathname.slice(1));
    dba = new pg.Pool({ connectionString: stage.server.url(database) });
    // A database may be set to send no warnings.
    await dba.query(`ALTER DATABASE ${database} SET client_min_messages = error`);
  }, 60_000);

  afterAll(async () => {
    await dba.end();
    await stage.close();
  });

  async function endWaitOf(purpose: string): Promise<void> {
    await waitFor(
      async () => (await dba.query(END_WAIT, [`concordat ${purpose}`])).rowCount === 1,
      {
        what: `the wait of ${purpose} to be ended`,
      },
    );
  }

  it('does not know of a decision whose wait was ended, and tells it only once a standby has it', async () => {
    const log = await stage.log(url, { answerWithinMs: 1_000 });
    const transaction = freshTransaction();
    const commit = commitOf(transaction, { idempotency: { key: KEY, fingerprint: 'same' } });
    await withoutStandby(dba, async () => {
      const deciding = expect(log.register.decide(commit)).rejects.toThrow(/standby was ended/);
      await endWaitOf('decisions');
      await deciding;
      const recorded = [transaction, 'commit', evidence(1)] as const;
      const recording = expect(log.register.recordHeuristic(...recorded)).rejects.toThrow(
        /standby was ended/,
      );
      await endWaitOf('register');
      await recording;
      const { rowCount } = await dba.query(
        'SELECT FROM concordat.decision WHERE transaction = $1',
        [transaction],
      );
      expect(rowCount).toBe(1);

      // One by one: in a batch each of them waits for the others.
      for (const proposal of [
        abortOf(transaction),
        { ...commit, transaction: freshTransaction() },
      ]) {
        await expect(log.register.decide(proposal)).rejects.toThrow(RegisterUnknown);
      }
      const claim = { key: KEY, fingerprint: 'same', claimant: freshTransaction() };
      const questions = [
        log.register.standing(transaction),
        log.register.holderOf(KEY),
        log.register.claim(claim),
        log.register.recordHeuristic(...recorded),
      ];
      for (const one of await Promise.allSettled(questions)) {
        expect(one).toMatchObject({ reason: expect.any(RegisterUnknown) as unknown });
      }
    });
    const told = await waitFor(() => log.register.decide(abortOf(transaction)), {
      what: 'the register to answer',
    });
    expect(standingIn(told).decision).toBe('commit');
    expect(await log.register.holderOf(KEY)).toMatchObject({ transaction });
    await stage.shut(log);
  });

  it('does not act on an entry of the audit whose wait was ended', async () => {
    const log = await stage.log(url, { answerWithinMs: 5_000 });
    await withoutStandby(dba, async () => {
      const appending = expect(
        log.audit.append([{ by: 'ann', role: 'operator', action: 'retry', phase: 'asked' }]),
      ).rejects.toThrow(/standby was ended/);
      await endWaitOf('operators');
      await appending;
    });
    await stage.shut(log);
  });
});
