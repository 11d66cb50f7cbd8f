/** Commits in one phase of which no coordinator has heard: they are met at their participant, before that may forget them. */
import {
  makeTransactionId,
  tokenFrom,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { randomBytes } from 'node:crypto';
import type { Coordinator, ReconciliationStage } from './reconciliation-stage.js';

const HOUR = 3_600_000;

interface On {
  readonly stage: ReconciliationStage;
  readonly one: Coordinator;
}

/** `on`: what is there when the tests run. */
export function untoldCommits(on: () => On, participant: ParticipantName): void {
  describe('a commit in one phase that its dead owner told no process, past retention', () => {
    const forgottenAt = () => on().one.log.reconciliation.forgottenAt(participant);
    const pass = () => on().one.reconciler.pass({ regardless: true });

    /** Committed there, and nowhere else: all coordinators were down, and none has compared anything since. */
    async function committed(ageMs = 3 * HOUR): Promise<TransactionId> {
      const { stage, one } = on();
      const owner = tokenFrom(randomBytes(8));
      const id = makeTransactionId(Date.now() - ageMs, randomBytes(10), owner, participant);
      await stage.sql(
        participant,
        `INSERT INTO concordat_branch (transaction, branch, participant, kind, created_at)
       VALUES ($1, 1, $2, 'branch', now() - interval '3 hours')`,
        [id, participant],
      );
      await stage.sql('register', 'DELETE FROM concordat.reconciliation');
      await one.log.register.prune(2 * HOUR);
      return id;
    }

    it('is kept there until it was met here, and is on record from then on', async () => {
      const { stage, one } = on();
      const id = await committed();
      expect(await forgottenAt()).toBeUndefined();
      expect(await stage.decisionOf(id)).toBeUndefined();
      await pass();
      expect(await stage.decisionOf(id)).toBe('commit');
      const decided = { kind: 'decided', decision: 'commit' };
      expect(await one.manager.inquire({ transaction: id })).toEqual(decided);
      const forgotten = await forgottenAt();
      expect(forgotten !== undefined && id < forgotten).toBe(true);
      // It is no damage, and is kept for as long as any other decision, from now on.
      expect((await stage.heuristics()).map((it) => it.transaction)).not.toContain(id);
      await one.log.register.prune(2 * HOUR);
      expect(await stage.decisionOf(id)).toBe('commit');
    });

    it('is not forgotten while it cannot be put on record', async () => {
      const { stage } = on();
      const id = await committed();
      const change = (what: string) =>
        stage.sql('register', `ALTER TABLE concordat.decision ${what}`);
      await change('ADD CONSTRAINT takes_nothing CHECK (false) NOT VALID');
      const { participants } = await pass();
      const about = participants.find((it) => it.participant === participant);
      expect(about).toMatchObject({ upToDate: false });
      expect(await forgottenAt()).toBeUndefined();
      await change('DROP CONSTRAINT takes_nothing');
      expect((await pass()).participants.every((it) => it.upToDate)).toBe(true);
      expect(await stage.decisionOf(id)).toBe('commit');
    });

    it('holds nothing up that is older while it is young: its end may be on its way to the history', async () => {
      const { stage } = on();
      const id = await committed(0);
      // Its row is locked, so that its participant cannot answer for it.
      const lock = `UPDATE concordat_branch SET kind = kind WHERE transaction = '${id}'`;
      await stage.sql(participant, `BEGIN; ${lock}; PREPARE TRANSACTION 'of another'`);
      const { participants } = await pass();
      await stage.sql(participant, `ROLLBACK PREPARED 'of another'`);
      const about = participants.find((it) => it.participant === participant);
      expect(about).toMatchObject({ upToDate: true });
      const forgotten = await forgottenAt();
      expect(forgotten !== undefined && forgotten < id).toBe(true);
      await pass();
      expect(await stage.decisionOf(id)).toBe('commit');
    });
  });
}
