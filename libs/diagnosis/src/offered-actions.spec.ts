/** What is offered never contradicts the decision, and every sentence states it. */
import type { Decision } from '@concordat/protocol';
import {
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import { explain } from './explanation.js';
import type { KnownTransaction } from './known-transaction.js';
import { offeredActions } from './offered-actions.js';
import { runbookOf } from './runbook.sql.js';
import { gidOf, type Situation } from './situation.js';
import { WaitPicture } from './waits/wait-picture.js';

const NOW = Date.UTC(2026, 0, 2, 12, 5, 0);
const owner: Incarnation = tokenFrom(new Uint8Array(8).fill(1));
const cluster: ClusterId = tokenFrom(new Uint8Array(8).fill(2));
const transaction = makeTransactionId(NOW - 120_000, new Uint8Array(10).fill(7), owner);
const [east, west] = ['ledger-east', 'ledger-west'] as ParticipantName[];

function situation(known: Partial<KnownTransaction>, more: Partial<Situation> = {}): Situation {
  return {
    known: {
      transaction,
      owner,
      status: 'active',
      timeoutMs: 600_000,
      begunAtMs: NOW - 120_000,
      branches: [east, west].map((participant, at) => ({
        branch: makeBranchId(at + 1),
        participant: participant as ParticipantName,
        work: 'bundled' as const,
        operations: ['debit'],
        vote: { kind: 'prepared' as const },
        attempts: 14,
        nextAttemptAtMs: NOW + 42_000,
        ...(at === 0 && known.decision
          ? { outcome: { kind: known.decision === 'commit' ? 'committed' : 'aborted' } as const }
          : {}),
      })),
      timeline: [],
      version: 3,
      ...known,
    },
    cluster,
    self: owner,
    nowMs: NOW,
    seen: new Map(),
    waits: new WaitPicture(),
    blockingAfterMs: 5_000,
    ...more,
  };
}

const decided = (decision: Decision): Partial<KnownTransaction> => ({
  decision,
  status: decision === 'commit' ? 'committing' : 'aborting',
  decidedAtMs: NOW - 100_000,
});

const SITUATIONS: [string, Situation][] = [
  ['active', situation({})],
  ['preparing', situation({ status: 'preparing' })],
  ['deciding', situation({ status: 'deciding' })],
  ['committing', situation(decided('commit'))],
  ['aborting', situation(decided('abort'))],
  ['committed', situation({ ...decided('commit'), status: 'committed', endedAtMs: NOW })],
  ['aborted', situation({ ...decided('abort'), status: 'aborted', endedAtMs: NOW })],
  ['heuristic', situation({ ...decided('commit'), status: 'heuristic-mixed' })],
  ['heuristic abort', situation({ ...decided('abort'), status: 'heuristic-hazard' })],
  ['forgotten', situation({ status: 'undecided' }, { isForgotten: true, isTraceless: true })],
];

describe('What is offered', () => {
  it.each(SITUATIONS)('of a transaction that is %s never contradicts the decision', (_, one) => {
    for (const isForceEnabled of [false, true]) {
      for (const { action, offered } of offeredActions(one, { isForceEnabled })) {
        if (!offered) continue;
        const { decision } = one.known;
        if (action === 'abort') expect(decision).toBeUndefined();
        if (action.startsWith('force')) {
          expect({ decision, isForgotten: one.isForgotten, isForceEnabled }).toEqual({
            decision: undefined,
            isForgotten: true,
            isForceEnabled: true,
          });
        }
        if (action === 'retry') expect(decision).toBeDefined();
      }
    }
  });

  it.each(SITUATIONS)('of one that is %s says why not, where it is not', (_, one) => {
    const all = offeredActions(one, { isForceEnabled: true });
    expect(all.map((entry) => entry.action)).toEqual(
      expect.arrayContaining(['retry', 'abort', 'acknowledge']),
    );
    for (const { offered, because, consequence } of all) {
      expect(offered).toBe(because === undefined);
      expect(consequence).toMatch(/\.$/);
    }
  });

  it.each(SITUATIONS)('as SQL for one that is %s finishes only what is decided', (_, one) => {
    const { decision } = one.known;
    for (const { branch } of one.known.branches) {
      const gid = gidOf(one, branch);
      const sql = runbookOf({ gid, branch, transaction }, decision, false).map((step) => step.sql);
      expect(sql.some((text) => text.startsWith('COMMIT PREPARED'))).toBe(decision === 'commit');
      expect(sql.some((text) => text.startsWith('ROLLBACK PREPARED'))).toBe(decision === 'abort');
    }
  });
});

describe('Why a transaction is where it is', () => {
  it('is one sentence, with what is left to deliver, to which participant, since when and until when', () => {
    const told = explain(situation(decided('commit')));
    expect(told).toEqual({
      why: 'COMMIT durable since 12:03 UTC; `ledger-west` unreachable, 14 attempts, next in 42 s.',
      next: expect.stringMatching(/^Delivered again in 42 s by itself/) as unknown,
      nextAtMs: NOW + 42_000,
      severity: 'stuck',
    });
  });

  it.each(SITUATIONS)('is given for one that is %s, and so is what happens next', (_, one) => {
    const { why, next } = explain(one);
    expect(why).toMatch(/^[A-Z].*\.$/);
    expect(next).toMatch(/^[A-Z].*\.$/);
    expect(`${why} ${next}`).not.toMatch(/undefined|NaN|\.\.| {2}/);
  });
});
