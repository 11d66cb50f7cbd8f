import {
  ONLY_BRANCH,
  makeTransactionId,
  tokenFrom,
  voteNo,
  type ClusterId,
  type ParticipantName,
} from '@concordat/protocol';
import { decideThere } from './decide-there.js';
import {
  assertMayPropose,
  type Decided,
  type DecisionRegister,
  type FinishAnswer,
  type ParticipantChannel,
  type Proposal,
} from './ports/index.js';
import { onlyPlaceOf } from './submit-checks.js';
import { TransactionManager } from './transaction-manager.js';
import type { TransactionManagerPorts } from './transaction-options.js';

const ledger = 'ledger' as ParticipantName;
const self = tokenFrom(new Uint8Array(8));
const alone = makeTransactionId(1, new Uint8Array(10), self, ledger);
const branches = [{ participant: ledger, operations: [] }];
const knows = { inOnePhaseAt: () => true };

describe('One phase', () => {
  it('is for one branch without a key, at a participant that knows how', () => {
    const request = { principal: 'client' };
    const idempotency = { key: 'client:1', fingerprint: 'same' };
    expect(onlyPlaceOf(request, branches, knows)).toBe(ledger);
    expect(onlyPlaceOf(request, [...branches, ...branches], knows)).toBeUndefined();
    expect(onlyPlaceOf(request, [], knows)).toBeUndefined();
    expect(onlyPlaceOf({ ...request, idempotency }, branches, knows)).toBeUndefined();
    expect(onlyPlaceOf(request, branches, { inOnePhaseAt: () => false })).toBeUndefined();
    expect(onlyPlaceOf(request, branches, {})).toBeUndefined();
  });

  it('is proposed to the register as a copy only, and nothing else is', () => {
    const proposal: Proposal = {
      transaction: alone,
      proposed: 'abort',
      finisher: self,
      branches: [],
    };
    expect(() => assertMayPropose(proposal)).toThrow('the register');
    expect(() => assertMayPropose({ ...proposal, isCopy: true })).not.toThrow();
    const transaction = makeTransactionId(1, new Uint8Array(10), self);
    expect(() => assertMayPropose({ ...proposal, transaction, isCopy: true })).toThrow(
      'the register',
    );
  });

  /** A participant that answers so, and a register that takes what it is told, or has forgotten it. */
  function surroundings(answer: FinishAnswer | undefined, isForgotten = false) {
    const proposals: Proposal[] = [];
    const channel = {
      finish: () =>
        Promise.resolve(answer ? { kind: 'answered', answer } : { kind: 'no-responders' }),
    } as unknown as ParticipantChannel;
    const register = {
      decide: (proposal: Proposal): Promise<Decided> => {
        proposals.push(proposal);
        const { transaction, proposed: decision, finisher } = proposal;
        const standing = {
          transaction,
          decision,
          finisher,
          branches: [],
          decidedAtMs: 0,
          heuristics: [],
        };
        return Promise.resolve(
          isForgotten ? { kind: 'forgotten' } : { kind: 'on-record', standing, byUs: true },
        );
      },
      noteEnded: () => undefined,
    } as unknown as DecisionRegister;
    return { ports: { channel, register }, proposals };
  }
  const acknowledged = (kind: 'committed' | 'aborted'): FinishAnswer => ({
    kind: 'acknowledged',
    outcome: { kind },
  });
  const asked = { transaction: alone, participant: ledger };

  it('is told as its participant says, and copied', async () => {
    const { ports, proposals } = surroundings(acknowledged('committed'));
    expect(await decideThere(ports, asked, self)).toEqual({ kind: 'decided', decision: 'commit' });
    expect(proposals).toMatchObject([
      {
        proposed: 'commit',
        isCopy: true,
        branches: [{ branch: ONLY_BRANCH, participant: ledger }],
      },
    ]);
  });

  it('is undecided while its participant does not say', async () => {
    for (const answer of [undefined, { kind: 'not-yet', reason: 'it still runs' } as const]) {
      const { ports, proposals } = surroundings(answer);
      expect(await decideThere(ports, asked, self)).toEqual({ kind: 'undecided' });
      expect(proposals).toEqual([]);
    }
  });

  it('is forgotten where its participant has forgotten it, and nothing is copied', async () => {
    const answer = { kind: 'not-yet', reason: 'past retention', forgotten: true } as const;
    const { ports, proposals } = surroundings(answer);
    expect(await decideThere(ports, asked, self)).toEqual({ kind: 'forgotten' });
    expect(proposals).toEqual([]);
  });

  it('past retention is known as long as its row is there, and an abort then proves nothing', async () => {
    const there = surroundings(acknowledged('committed'), true);
    const decision = 'commit';
    expect(await decideThere(there.ports, asked, self)).toEqual({ kind: 'decided', decision });
    const gone = surroundings(acknowledged('aborted'), true);
    expect(await decideThere(gone.ports, asked, self)).toEqual({ kind: 'forgotten' });
  });

  it('ends as not known at its owner where its participant has forgotten it, and is asked for once', async () => {
    let questions = 0;
    const answered = <T>(answer: T) => Promise.resolve({ kind: 'answered', answer } as const);
    const channel = {
      fitsSurely: () => true,
      prepare: () => answered({ kind: 'vote', vote: voteNo('NO', 'no'), outputs: [] }),
      finish: () => {
        questions += 1;
        return answered({ kind: 'not-yet', reason: 'it is past retention', forgotten: true });
      },
    };
    const recorded: unknown[] = [];
    const register = {
      recordHeuristic: (...evidence: unknown[]) => Promise.resolve(void recorded.push(evidence)),
    };
    const ports = {
      ...{ channel, register },
      clock: { now: () => 0, wallNow: () => 7, after: () => () => undefined },
      entropy: { bytes: (count: number) => new Uint8Array(count), unit: () => 0 },
      historyWriter: { note: () => undefined },
    };
    const manager = new TransactionManager(ports as unknown as TransactionManagerPorts, {
      ...{ cluster: 'c1uster0' as ClusterId, incarnation: self },
      inOnePhaseAt: () => true,
    });
    const trial = manager.launch({ principal: 'client', branches });
    await trial.ended(); // No other attempt follows: it may have committed.
    const view = manager.view(trial.transaction);
    expect(view).toMatchObject({ status: 'heuristic-hazard', endedAtMs: 7 });
    expect(view).not.toHaveProperty('decision');
    expect(view?.branches).toMatchObject([
      { outcome: { kind: 'heuristic', evidence: { found: 'unknown' } } },
    ]);
    expect(recorded).toHaveLength(1);
    expect(questions).toBe(1);
    expect([manager.liveCount(), manager.counters().heuristic]).toEqual([0, 1]);
  });

  it('has no outputs of the copy that said no, once its row says that the other one has committed', async () => {
    const vote = voteNo('ALREADY_FINISHED', 'another copy of it is there');
    const answered = <T>(answer: T) => Promise.resolve({ kind: 'answered', answer } as const);
    const channel = {
      fitsSurely: () => true,
      prepare: () => answered({ kind: 'vote', vote, outputs: [{ balance: 98 }] }),
      finish: () => answered(acknowledged('committed')),
    };
    const ports = {
      channel,
      clock: { now: () => 0, wallNow: () => 0, after: () => () => undefined },
      entropy: { bytes: (count: number) => new Uint8Array(count), unit: () => 0 },
      historyWriter: { note: () => undefined },
    };
    const manager = new TransactionManager(ports as unknown as TransactionManagerPorts, {
      ...{ cluster: 'c1uster0' as ClusterId, incarnation: self },
      inOnePhaseAt: () => true,
    });
    const { transaction } = await manager.submit(
      { principal: 'client', branches },
      { until: 'completed', waitMs: 0 },
    );
    for (let turn = 0; manager.isLive(transaction) && turn < 100; turn++) await Promise.resolve();
    const view = manager.view(transaction);
    expect(view).toMatchObject({
      status: 'committed',
      branches: [{ vote: { kind: 'committed' } }],
    });
    expect(view?.branches[0]?.outputs).toBeUndefined();
  });
});
