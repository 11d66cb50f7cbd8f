/** Sentences and statements that people act on: none promises more than is known. */
import type { WaitHolder } from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  parseGid,
  type ClusterId,
  type Incarnation,
} from '@concordat/protocol';
import { explain } from './explanation.js';
import type { KnownTransaction } from './known-transaction.js';
import { offeredActions } from './offered-actions.js';
import { runbookOf, stepsFor } from './runbook.sql.js';
import { inDatabase, inStatusSinceMs, traceless, type Situation } from './situation.js';
import { summaryOf } from './summary.js';
import { WaitPicture } from './waits/wait-picture.js';

const GID = 'cc:abcdefgh:01arz3ndektsv4rrffq69g5fav-abcdefgh:1';
const owner = 'abcdefgh' as Incarnation;
const branch = makeBranchId(1);
const participant = 'ledger-east' as never;
const { transaction, gid } = { ...(parseGid(GID) as never as { transaction: never }), gid: GID };

function situation(known: Partial<KnownTransaction>, more: Partial<Situation> = {}): Situation {
  const base = traceless(transaction, owner, 1_000, [{ branch, participant }]);
  return {
    known: { ...base, ...known } as KnownTransaction,
    cluster: 'abcdefgh' as ClusterId,
    self: owner,
    nowMs: 100_000,
    seen: new Map(),
    waits: new WaitPicture(),
    blockingAfterMs: 5_000,
    ...more,
  };
}

const branchWith = (more: object) => [
  { branch, participant, work: 'bundled' as const, operations: [], attempts: 1, ...more },
];

describe('What is said of a transaction', () => {
  it('does not rule out a commit that its coordinator sent before it was gone', () => {
    const { next } = explain(situation({ timeoutMs: 5_000 }, { ownerAlive: false }));
    expect(next).toMatch(/An abort is recorded .*, unless a commit .* is on record by then\./);
  });

  it('says what holds up the vote that is missing, and is stuck once it blocks for long', () => {
    const session = { kind: 'session', pid: 7 } as const;
    const own = { kind: 'branch', transaction, branch, isPrepared: false } as const;
    const wait = (waiter: WaitHolder, holder: WaitHolder) => ({
      ...{
        id: String(waiter.kind),
        participant,
        waiter,
        on: { kind: 'relation', relation: 'account' },
      },
      ...{ holders: [holder], sinceMs: 96_000, heardAtMs: 99_000 },
    });
    const told = (waits: WaitPicture, more = {}) =>
      explain(situation({ status: 'preparing', timeoutMs: 200_000 }, { waits, ...more }));
    const waiting = told(new WaitPicture([wait(own, session)]));
    expect(waiting.why).toBe(
      'Undecided since 00:00 UTC: it waits for table `account` at `ledger-east`, held by session pid 7 (4 s so far).',
    );
    expect(waiting.severity).toBe('waiting');
    const blocking = new WaitPicture([wait(session, own)]);
    expect(told(blocking).why).toMatch(/; blocks 1 session at `ledger-east` \(4 s so far\)\.$/);
    expect(told(blocking).severity).toBe('waiting');
    expect(told(blocking, { blockingAfterMs: 4_000 }).severity).toBe('stuck');
  });

  it('does not deny an acknowledgement because the coordinator that took over asks again', () => {
    const branches = branchWith({ outcome: { kind: 'committed' }, nextAttemptAtMs: 105_000 });
    const decided = { decision: 'commit', status: 'committing', decidedAtMs: 2_000 } as const;
    const told = (finisher: string) =>
      explain(situation({ ...decided, branches, finisher: finisher as Incarnation }));
    const taken = told('anotherc');
    expect(taken.why).toMatch(
      /every branch has acknowledged; it was taken over, so each is asked once more\.$/,
    );
    expect(taken.next).toMatch(/^Nothing is left to finish: its end is noted as soon as each has/);
    expect(told(owner).why).toMatch(/every branch has answered, and the end is being noted\.$/);
  });

  it('promises delivery without limit for a commit only', () => {
    const waiting = { branches: branchWith({ nextAttemptAtMs: 105_000 }), decidedAtMs: 2_000 };
    const next = (decision: 'commit' | 'abort') =>
      explain(situation({ ...waiting, decision })).next;
    expect(next('commit')).toMatch(/without limit/);
    expect(next('abort')).not.toMatch(/without limit/);
  });

  describe('claims a delivery only where a coordinator has it', () => {
    const told = (decision: 'commit' | 'abort', more: Partial<Situation>) => {
      const branches = branchWith({ nextAttemptAtMs: 105_000 });
      const known = { decision, decidedAtMs: 2_000, branches };
      return explain(situation(known, { isAsked: true, ...more }));
    };
    const claims = /delivered again|is being delivered|next in/i;

    it.each(['not-live', 'gone', 'not-known'] as const)('not where it is at %s', (delivery) => {
      for (const decision of ['commit', 'abort'] as const) {
        const { why, next } = told(decision, { delivery });
        expect(`${why} ${next}`.replace('Whether it is being delivered', '')).not.toMatch(claims);
      }
      expect(told('abort', { delivery }).next).not.toMatch(/takes it|as soon as it can be reached/);
    });

    it('where it is under way', () => {
      expect(told('commit', { delivery: 'under-way' }).next).toMatch(claims);
    });

    it('and an abort without a prepared branch is not stuck, though its end is not on record', () => {
      const lying = new Map([[branch, false]]);
      const abort = told('abort', { delivery: 'not-live', lying });
      expect(abort).toMatchObject({ severity: 'fine' });
      expect(abort.why).toMatch(/none of its branches is prepared any more; its end is not on rec/);
      const shown = situation(
        { decision: 'abort', branches: branchWith({}) },
        { isAsked: true, delivery: 'not-live', lying },
      );
      const actions = offeredActions(shown, { isForceEnabled: false });
      expect(actions.find((one) => one.action === 'retry')).toMatchObject({ offered: false });
      // Where no look was possible, it may be prepared.
      expect(told('abort', { delivery: 'not-live' }).severity).toBe('stuck');
    });
  });

  describe('of one branch that its participant decides in one phase', () => {
    const alone = makeTransactionId(1_000, new Uint8Array(10), owner, participant);
    const told = (known: Partial<KnownTransaction>, more: Partial<Situation> = {}) => {
      const { next, why } = explain(
        situation(
          { transaction: alone, timeoutMs: 200_000, branches: branchWith({}), ...known },
          { isAsked: true, ownerAlive: true, ...more },
        ),
      );
      return { next, all: `${why} ${next}` };
    };
    const answer = 'it answers COMMIT if it has committed, and can no longer commit otherwise.';
    const unknown = [
      ['while its vote is missing', { status: 'preparing' }, {}],
      ['past its time-out', { status: 'preparing', timeoutMs: 5_000 }, {}],
      ['while its answer is lost', { status: 'deciding' }, {}],
      ['while its owner is silent', { status: 'deciding' }, { ownerAlive: undefined }],
      ['behind its dead owner', { status: 'undecided' }, { ownerAlive: false }],
    ] as const;

    it.each(unknown)(
      'is never prepared, waits for no register, and has a next step: %s',
      (...row) => {
        const [, known, more] = row;
        const { next, all } = told(known, more);
        expect(next).toContain(answer);
        expect(next).toContain('`ledger-east`');
        expect(all).not.toMatch(
          /prepared|register|Aborts by itself|All votes are in|abort is recorded/,
        );
      },
    );

    it('is asked again without limit, and when', () => {
      const branches = branchWith({ nextAttemptAtMs: 105_000, lastError: 'no answer in time' });
      const { all } = told({ status: 'deciding', branches });
      expect(all).toMatch(/has not answered yet whether it has committed \(no answer in time\)\./);
      expect(all).toMatch(/is asked again in 5 s, without limit/);
    });

    it('says since when it is not known, where that was noted, and never takes its begin for that', () => {
      const asked = told({ status: 'deciding', decidingSinceMs: 61_000 }).all;
      expect(asked).toMatch(
        /^Begun 00:00 UTC: .* and, asked since 00:01 UTC, has not answered yet/,
      );
      expect(told({ status: 'deciding' }).all).not.toMatch(/since/);
      const listed = situation({ transaction: alone, status: 'deciding', decidingSinceMs: 61_000 });
      expect(inStatusSinceMs(listed)).toBe(61_000);
    });

    it('that it has forgotten is not known, is for a person, and is neither of the two', () => {
      const known = { status: 'heuristic-hazard', endedAtMs: 61_000 } as const;
      const { next, all } = told(known);
      expect(all).toMatch(
        /^Whether it has committed is not known, since 00:01 UTC: begun 00:00 UTC/,
      );
      expect(all).not.toMatch(/on record|COMMIT|ABORT/);
      expect(next).toMatch(/^A person must: look in the data of `ledger-east`/);
      const shown = situation({ transaction: alone, branches: branchWith({}), ...known });
      const offered = offeredActions(shown, { isForceEnabled: true }).filter((one) => one.offered);
      expect(offered.map((one) => one.action)).toEqual(['acknowledge']);
      const resolved = { atMs: 70_000, by: 'olga', reason: 'it is there' };
      expect(told({ ...known, resolved }).next).toMatch(/^Acknowledged by olga/);
    });

    it('is aborted by asking its participant, and forced by no role', () => {
      const shown = situation(
        { transaction: alone, status: 'deciding', branches: branchWith({}) },
        { isAsked: true, ownerAlive: true },
      );
      const actions = offeredActions(shown, { isForceEnabled: true });
      const abort = actions.find((one) => one.action === 'abort');
      expect(abort).toMatchObject({ offered: true });
      expect(abort?.consequence).toMatch(/Asks `ledger-east`.*if it has committed already/);
      expect(actions.filter((one) => one.offered).map((one) => one.action)).toEqual(['abort']);
      expect(actions.filter((one) => one.action.startsWith('force'))).toEqual([]);
      const retry = actions.find((one) => one.action === 'retry');
      expect(retry?.because).toMatch(/An abort asks `ledger-east` now what it has decided\.$/);
    });

    it('is looked up by its outcome row, never among what is prepared, and had nothing to acknowledge', () => {
      const known = { transaction: alone, status: 'deciding', branches: branchWith({}) } as const;
      const [step, ...others] = stepsFor(situation(known), branchWith({})[0] as never);
      expect(others).toEqual([]);
      expect(step?.sql).toMatch(/concordat_branch WHERE transaction = '.+-ledger-east'/);
      expect(step?.explanation).toMatch(
        /it is never prepared.*No row: it has not committed, and may/,
      );
      const { all } = told({ status: 'committed', decision: 'commit', endedAtMs: 2_000 });
      expect(all).toMatch(/`ledger-east` has committed it in one phase\./);
      expect(all).not.toMatch(/acknowledged/);
    });

    it('waits for nothing once it is decided', () => {
      for (const decision of ['commit', 'abort'] as const) {
        const { all } = told({ decision, status: 'committing', decidedAtMs: 2_000 });
        expect(all).toMatch(/every branch has answered, and the end is being noted/);
      }
    });
  });

  it('does not promise what a silent coordinator does', () => {
    const { next } = explain(situation({ timeoutMs: 500_000 }, { isAsked: true }));
    expect(next).toMatch(/^Whether it goes on is not known: its coordinator abcdefgh is silent/);
  });

  it('distinguishes a branch that was looked at from one that could not be looked at', () => {
    const told = (more: Partial<Situation>, outcome?: object) =>
      inDatabase(situation({ branches: branchWith(outcome ? { outcome } : {}) }, more), branch);
    expect(told({})).toBe('not-known');
    expect(told({ lying: new Map([[branch, false]]) })).toBe('not-prepared');
    expect(told({ lying: new Map([[branch, true]]) })).toBe('prepared');
    expect(told({}, { kind: 'aborted' })).toBe('finished');
    expect(told({}, { kind: 'heuristic', evidence: { found: 'missing' } })).toBe('not-known');
  });

  it('names a few of many branches, and how many more there are', () => {
    const branches = Array.from({ length: 64 }, (_, at) => ({
      ...branchWith({})[0],
      branch: makeBranchId(at + 1),
      participant: `ledger-${at + 1}` as never,
    })) as never;
    const shown = situation({ decision: 'commit', decidedAtMs: 2_000, branches });
    const { why, next } = explain(shown);
    expect(next).toContain('`ledger-1`, `ledger-2`, `ledger-3` and 61 more commit as soon as they');
    expect(`${why}${next}`.length).toBeLessThan(500);
    for (const { consequence } of offeredActions(shown, { isForceEnabled: true })) {
      expect(consequence.length).toBeLessThan(400);
    }
  });

  it('does not say "done" of a force that its participant refused', () => {
    const results = [{ branch, participant, result: 'refused' as const }];
    expect(summaryOf('force-abort-branch', results, situation({}))).toBe(
      'Not forced: `ledger-east` did not do it.',
    );
  });
});

describe('The runbook', () => {
  const held = { gid, heldMs: 1, xidAge: 1, locks: [], waiters: [], blockedSessions: 0 };
  const sqlOf = (vote: object) => {
    const known = { decision: 'commit' as const, branches: branchWith({ vote }) };
    const shown = situation(known, { prepared: new Map([[branch, held]]) });
    const steps = shown.known.branches.flatMap((one) => stepsFor(shown, one));
    return steps.map((step) => step.sql).join('\n');
  };

  it('commits manually only a branch that the commit is for', () => {
    expect(sqlOf({ kind: 'prepared' })).toContain(`COMMIT PREPARED '${GID}';`);
    expect(sqlOf({ kind: 'read-only' })).not.toContain('COMMIT PREPARED');
    expect(sqlOf({ kind: 'read-only' })).toContain(`ROLLBACK PREPARED '${GID}';`);
  });

  it('names the outcome table where its participant has it, and says when that is not known', () => {
    const became = (schema?: string) =>
      runbookOf({ gid: gid as never, branch, transaction }, 'commit', false, schema).at(-1);
    expect(became('Ledger "7"')?.sql).toContain('FROM "Ledger ""7""".concordat_branch WHERE');
    expect(became('public')?.explanation).not.toMatch(/schema/);
    expect(became()?.sql).toContain('FROM concordat_branch WHERE');
    expect(became()?.explanation).toMatch(/has not said in which schema/);
  });

  it('has nothing to run but a look where nothing is decided', () => {
    const steps = runbookOf({ gid: gid as never, branch, transaction }, undefined, false);
    expect(steps.every(({ sql }) => sql.startsWith('SELECT'))).toBe(true);
  });
});
