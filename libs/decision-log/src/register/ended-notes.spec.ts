/**
 * Notes of an end on a Postgres that keeps what nobody forced in memory, and loses it in a crash: a
 * commit that has ended must not stay open while its coordinator lives.
 */
import { waitFor } from '@concordat/testing';
import { DecisionLogStage } from '../../../../test/conformance/decision-log-stage.js';
import { commitOf, freshTransaction } from '../../../../test/conformance/decision-register.js';

/** As late as Postgres allows, and no flush for anything else. */
const LATE_WRITER = { wal_writer_delay: '10s', wal_writer_flush_after: '100MB' };

let stage: DecisionLogStage;

beforeAll(async () => {
  stage = await DecisionLogStage.open({ settings: LATE_WRITER });
}, 60_000);

afterAll(() => stage.close());

describe('a note that the database lost in a crash', () => {
  it('is written again by the coordinator that lives', async () => {
    const log = await stage.log(await stage.database());
    const transaction = freshTransaction();
    const ended = async (): Promise<boolean> =>
      (await log.register.standing(transaction))?.endedAtMs !== undefined;
    await log.register.decide(commitOf(transaction));
    log.register.noteEnded(transaction, 'committed');
    expect(await log.register.flushEnded()).toBe(true);
    expect(await ended()).toBe(true);
    await stage.server.stop({ mode: 'immediate' });
    await stage.server.start();
    // It was lost indeed: otherwise this would show nothing.
    expect(await waitFor(async () => !(await ended()), { what: 'the register to answer' })).toBe(
      true,
    );
    await waitFor(ended, { what: 'the note to be written again', timeoutMs: 30_000 });
    expect(await log.register.standing(transaction)).toMatchObject({ outcome: 'committed' });
  });
});
