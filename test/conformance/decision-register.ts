/**
 * What every implementation of the DecisionRegister port must do, whether a real database or the
 * simulator's: write-once, first writer wins, one commit per idempotency key, evidence that stays,
 * claims that never overlap, and no second decision for what was forgotten. One suite, so that what
 * the simulator proves holds for the database.
 */
import type { Decided, DecisionRegister, Proposal, StandingDecision } from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  type Decision,
  type Enlisted,
  type HeuristicBranch,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { waitFor } from '@concordat/testing';

/** A register under test. */
export interface RegisterHarness {
  readonly register: DecisionRegister;
  /** The same register, as another coordinator has it. */
  readonly other: DecisionRegister;
  /**
   * Forgets what has ended of all transactions made before `unixMs`, as pruning by retention does.
   * Absent where an implementation never forgets.
   */
  forget?(unixMs: number): Promise<void>;
  close(): Promise<void>;
}

const OWNER = 'c00rd1n8' as Incarnation;
/** An hour ago: young enough to be kept, old enough to be past every time-out. */
const EPOCH_MS = Date.now() - 3_600_000;
let made = 0;

/** A transaction id that no test has used; later ones sort later. */
export function freshTransaction(owner = OWNER): TransactionId {
  made += 1;
  return makeTransactionId(EPOCH_MS + made, new Uint8Array(10), owner);
}

/** A key that no test has used. */
export function freshKey(): string {
  made += 1;
  return `teller:key-${made}`;
}

export const BRANCHES: readonly Enlisted[] = [
  { branch: makeBranchId(1), participant: 'ledger-east' as ParticipantName, work: 'bundled' },
  { branch: makeBranchId(2), participant: 'ledger-west' as ParticipantName, work: 'open' },
];

export function commitOf(
  transaction: TransactionId,
  more: Partial<Proposal> = {},
): Proposal & { readonly proposed: 'commit' } {
  return { transaction, finisher: OWNER, branches: BRANCHES, ...more, proposed: 'commit' };
}

export function abortOf(transaction: TransactionId, finisher = OWNER): Proposal {
  return { transaction, proposed: 'abort', finisher, branches: [] };
}

export function evidence(
  ordinal: number,
  decision: Decision = 'commit',
  found: HeuristicBranch['evidence']['found'] = 'rolled-back',
): HeuristicBranch {
  const { branch, participant } = BRANCHES[ordinal - 1] as Enlisted;
  const explanation = `It was asked to ${decision} and had been ${found}.`;
  return { branch, participant, evidence: { decision, found, explanation } };
}

/** The decision on record in an answer that must have one. */
export function standingIn(decided: Decided): StandingDecision {
  if (decided.kind !== 'on-record')
    throw new Error(`expected a decision on record: ${decided.kind}`);
  return decided.standing;
}

type Create = () => Promise<RegisterHarness>;

export function describeDecisionRegister(name: string, create: Create): void {
  describe(`${name} as the decision register`, () => {
    describe('makes a decision once', () => describeDecisions(create));
    describe('lets one commit hold a key', () => describeKeys(create));
    describe('keeps what disagrees with a decision', () => describeHeuristics(create));
    describe('knows what is left to finish', () => describeUnfinished(create));
    describe('never decides again what it forgot', () => describeForgetting(create));
  });
}

function describeDecisions(create: Create): void {
  let h: RegisterHarness;
  beforeAll(async () => (h = await create()));
  afterAll(() => h.close());

  it('holds nothing for an undecided transaction', async () => {
    expect(await h.register.standing(freshTransaction())).toBeUndefined();
  });

  it('records the first proposal, with the branches that must be finished', async () => {
    const transaction = freshTransaction();
    const decided = await h.register.decide(commitOf(transaction));
    expect(decided).toMatchObject({ kind: 'on-record', byUs: true });
    expect(standingIn(decided)).toMatchObject({
      transaction,
      decision: 'commit',
      finisher: OWNER,
      branches: BRANCHES,
      heuristics: [],
    });
    expect(standingIn(decided).endedAtMs).toBeUndefined();
    expect(await h.other.standing(transaction)).toEqual(standingIn(decided));
  });

  it('says whose a decided transaction is, as its first proposal did', async () => {
    for (const proposal of [commitOf(freshTransaction()), abortOf(freshTransaction())]) {
      const { transaction } = proposal;
      await h.register.decide({ ...proposal, principal: 'billing' });
      await h.other.decide({ ...abortOf(transaction), principal: 'somebody-else' });
      expect(await h.other.standing(transaction)).toMatchObject({ principal: 'billing' });
    }
    const unsaid = freshTransaction();
    await h.register.decide(abortOf(unsaid));
    expect((await h.other.standing(unsaid))?.principal).toBeUndefined();
  });

  it('keeps the trace of a commit for who takes it over', async () => {
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'c=d' };
    const finisher = 'traced00' as Incarnation;
    const note = { label: 'traced', trace };
    const proposal = { ...commitOf(freshTransaction()), finisher, note };
    await h.register.decide(proposal);
    expect((await h.other.standing(proposal.transaction))?.trace).toEqual(trace);
    const [claimed] = await h.other.claimUnfinished(finisher, OWNER, 1);
    expect(claimed).toMatchObject({ transaction: proposal.transaction, trace });
    const untraced = commitOf(freshTransaction());
    await h.register.decide({ ...untraced, note: { label: 'untraced' } });
    expect(await h.other.standing(untraced.transaction)).not.toHaveProperty('trace');
  });

  it('answers every later proposal with the decision on record', async () => {
    const committed = freshTransaction();
    await h.register.decide(commitOf(committed));
    const refused = await h.other.decide(abortOf(committed));
    expect(refused).toMatchObject({ kind: 'on-record', byUs: false });
    expect(standingIn(refused)).toMatchObject({ decision: 'commit', branches: BRANCHES });

    const aborted = freshTransaction();
    await h.other.decide(abortOf(aborted));
    const late = await h.register.decide(commitOf(aborted));
    expect(late).toMatchObject({ kind: 'on-record', byUs: false });
    expect(standingIn(late)).toMatchObject({ decision: 'abort', branches: [] });
  });

  it('answers a repeated proposal as its own decision, made earlier', async () => {
    const transaction = freshTransaction();
    const first = await h.register.decide(commitOf(transaction));
    const again = await h.register.decide(commitOf(transaction));
    expect(again).toEqual({ ...first, byUs: false });
  });

  it('counts an abort as ended: nothing is left to finish', async () => {
    const { endedAtMs, outcome } = standingIn(await h.register.decide(abortOf(freshTransaction())));
    expect(endedAtMs).toBeDefined();
    expect(outcome).toBe('aborted');
  });

  it('lets one of 50 mixed proposals win, and answers all 50 the same', async () => {
    const transaction = freshTransaction();
    const decided = await Promise.all(
      Array.from({ length: 50 }, (_, at) => {
        const register = at % 2 === 0 ? h.register : h.other;
        return register.decide(at % 3 === 0 ? commitOf(transaction) : abortOf(transaction));
      }),
    );
    const decisions = new Set(decided.map((one) => standingIn(one).decision));
    expect(decisions.size).toBe(1);
    expect(decided.filter((one) => one.kind === 'on-record' && one.byUs)).toHaveLength(1);
    expect(decisions).toContain((await h.other.standing(transaction))?.decision);
  });

  it('gives two coordinators the same answer for each of 50 transactions they disagree on', async () => {
    const transactions = Array.from({ length: 50 }, () => freshTransaction());
    const [ours, theirs] = await Promise.all([
      Promise.all(transactions.map((one) => h.register.decide(commitOf(one)))),
      Promise.all([...transactions].reverse().map((one) => h.other.decide(abortOf(one)))),
    ]);
    theirs.reverse();
    transactions.forEach((_, at) => {
      const [one, two] = [ours[at] as Decided, theirs[at] as Decided];
      expect(standingIn(one).decision).toBe(standingIn(two).decision);
      expect([one, two].filter((each) => each.kind === 'on-record' && each.byUs)).toHaveLength(1);
    });
  });
}

function describeKeys(create: Create): void {
  let h: RegisterHarness;
  beforeAll(async () => (h = await create()));
  afterAll(() => h.close());

  const keyed = (transaction: TransactionId, key: string, fingerprint = 'f00d'): Proposal =>
    commitOf(transaction, {
      idempotency: { key, fingerprint },
      answer: { 'ledger-east': [{ balance: 900 }] },
    });

  it('names the holder of a key to the second who asks for it, with the answer to repeat', async () => {
    const key = freshKey();
    const winner = freshTransaction();
    const loser = freshTransaction();
    const held = standingIn(await h.register.decide(keyed(winner, key)));
    const decided = await h.other.decide(keyed(loser, key, 'beef'));
    expect(decided).toEqual({ kind: 'key-taken', holder: held });
    expect(held).toMatchObject({
      transaction: winner,
      idempotency: { key, fingerprint: 'f00d' },
      answer: { 'ledger-east': [{ balance: 900 }] },
    });
    expect(await h.other.holderOf(key)).toEqual(held);
  });

  it('leaves nothing behind for the loser, who may still be aborted', async () => {
    const key = freshKey();
    const loser = freshTransaction();
    await h.register.decide(keyed(freshTransaction(), key));
    await h.register.decide(keyed(loser, key));
    expect(await h.register.standing(loser)).toBeUndefined();
    const aborted = await h.register.decide(abortOf(loser));
    expect(standingIn(aborted).decision).toBe('abort');
  });

  it('records one of 50 commits under one key', async () => {
    const key = freshKey();
    const decided = await Promise.all(
      Array.from({ length: 50 }, (_, at) => {
        const register = at % 2 === 0 ? h.register : h.other;
        return register.decide(keyed(freshTransaction(), key));
      }),
    );
    const winners = decided.filter((one) => one.kind === 'on-record');
    expect(winners).toHaveLength(1);
    const winner = standingIn(winners[0] as Decided).transaction;
    for (const one of decided) {
      if (one.kind === 'key-taken') expect(one.holder.transaction).toBe(winner);
    }
    expect(decided.filter((one) => one.kind === 'key-taken')).toHaveLength(49);
  });

  it('gives the winner its own decision when it asks again', async () => {
    const key = freshKey();
    const transaction = freshTransaction();
    await h.register.decide(keyed(transaction, key));
    const again = await h.register.decide(keyed(transaction, key));
    expect(again).toMatchObject({ kind: 'on-record', byUs: false });
  });

  it('gives a key to no transaction that aborts', async () => {
    const key = freshKey();
    const idempotency = { key, fingerprint: 'f00d' };
    await h.register.decide({ ...abortOf(freshTransaction()), idempotency });
    expect(await h.register.holderOf(key)).toBeUndefined();
    const next = await h.register.decide(keyed(freshTransaction(), key));
    expect(next.kind).toBe('on-record');
  });
}

function describeHeuristics(create: Create): void {
  let h: RegisterHarness;
  beforeAll(async () => (h = await create()));
  afterAll(() => h.close());

  it('keeps evidence beside the decision it disagrees with, once per branch', async () => {
    const transaction = freshTransaction();
    await h.register.decide(commitOf(transaction));
    await h.register.recordHeuristic(transaction, 'commit', evidence(1));
    await h.other.recordHeuristic(transaction, 'commit', evidence(1, 'commit', 'unknown'));
    await h.other.recordHeuristic(transaction, 'commit', evidence(2, 'commit', 'missing'));
    const standing = await h.register.standing(transaction);
    expect(standing?.decision).toBe('commit');
    expect(standing?.heuristics).toEqual([evidence(1), evidence(2, 'commit', 'missing')]);
  });

  it('records an abort first where no decision is on record', async () => {
    const transaction = freshTransaction();
    await h.register.recordHeuristic(transaction, 'abort', evidence(1, 'abort', 'committed'));
    const standing = await h.other.standing(transaction);
    expect(standing).toMatchObject({ decision: 'abort', outcome: 'heuristic-mixed' });
    expect(standing?.heuristics).toEqual([evidence(1, 'abort', 'committed')]);
    expect(standingIn(await h.other.decide(commitOf(transaction))).decision).toBe('abort');
  });

  it('records no abort of what its participant decides, and keeps the evidence', async () => {
    const alone = `${freshTransaction()}-ledger` as TransactionId;
    await h.register.recordHeuristic(alone, 'abort', evidence(1, 'abort', 'unknown'));
    expect(await h.other.standing(alone)).toBeUndefined();
  });

  it('never calls such a transaction plainly committed', async () => {
    const transaction = freshTransaction();
    await h.register.decide(commitOf(transaction));
    h.register.noteEnded(transaction, 'committed', 1);
    await endOf(h, transaction);
    await h.register.recordHeuristic(transaction, 'commit', evidence(1, 'commit', 'unknown'));
    expect(await h.other.standing(transaction)).toMatchObject({ outcome: 'heuristic-hazard' });
  });
}

function describeUnfinished(create: Create): void {
  let h: RegisterHarness;
  beforeEach(async () => (h = await create()));
  afterEach(() => h.close());

  const dead = 'deadc00r' as Incarnation;

  async function commits(count: number, finisher: Incarnation): Promise<TransactionId[]> {
    const transactions = Array.from({ length: count }, () => freshTransaction());
    await Promise.all(transactions.map((one) => h.register.decide(commitOf(one, { finisher }))));
    return transactions;
  }

  it('names the coordinators with commits to finish, and the oldest of those', async () => {
    expect(await h.register.unfinishedFinishers()).toEqual([]);
    expect(await h.register.oldestUnfinished()).toBeUndefined();
    const [oldest] = await commits(2, dead);
    await commits(1, OWNER);
    await h.register.decide(abortOf(freshTransaction(), 'ab0rter0' as Incarnation));
    expect((await h.other.unfinishedFinishers()).sort()).toEqual([OWNER, dead].sort());
    expect(await h.other.oldestUnfinished()).toBe(oldest);
  });

  it('is notified lazily that a commit has ended, and has nothing left to finish then', async () => {
    const [transaction] = (await commits(1, OWNER)) as [TransactionId];
    h.register.noteEnded(transaction, 'committed', 1);
    const ended = await endOf(h, transaction);
    expect(ended).toMatchObject({ decision: 'commit', outcome: 'committed', branches: BRANCHES });
    expect(await h.other.unfinishedFinishers()).toEqual([]);
    expect(await h.other.oldestUnfinished()).toBeUndefined();
  });

  it('keeps the times that the finisher of a commit reports, whenever the note is written', async () => {
    const transaction = freshTransaction();
    const { decidedAtMs } = standingIn(await h.register.decide(commitOf(transaction)));
    h.register.noteEnded(transaction, 'committed', 7);
    const ended = await endOf(h, transaction);
    expect(ended).toMatchObject({ decidedAtMs, endedAtMs: decidedAtMs + 7 });
  });

  it('takes no end that a clock gone astray puts into its future', async () => {
    const transaction = freshTransaction();
    const { decidedAtMs } = standingIn(await h.register.decide(commitOf(transaction)));
    h.register.noteEnded(transaction, 'committed', 8 * 86_400_000);
    const { endedAtMs = 0 } = await endOf(h, transaction);
    expect(endedAtMs - decidedAtMs).toBeLessThan(86_400_000);
  });

  it('gives claimers that come at once disjoint shares, until all is claimed', async () => {
    const left = await commits(60, dead);
    await commits(3, OWNER);
    const claimers = ['claimer1', 'claimer2', 'claimer3', 'claimer4'] as Incarnation[];
    const shares = await Promise.all(
      claimers.map(async (to, at) => {
        const register = at % 2 === 0 ? h.register : h.other;
        const share: StandingDecision[] = [];
        while ((await h.other.unfinishedFinishers()).includes(dead)) {
          share.push(...(await register.claimUnfinished(dead, to, 7)));
        }
        return share;
      }),
    );
    const claimed = shares.flat().map((one) => one.transaction);
    expect([...claimed].sort()).toEqual([...left].sort());
    shares.forEach((share, at) => {
      for (const one of share) expect(one.finisher).toBe(claimers[at]);
    });
  });

  it('returns a claimed commit with everything that finishing it needs', async () => {
    const [transaction] = (await commits(1, dead)) as [TransactionId];
    await h.register.recordHeuristic(transaction, 'commit', evidence(2));
    const [claimed] = await h.other.claimUnfinished(dead, OWNER, 10);
    expect(claimed).toEqual(await h.register.standing(transaction));
    expect(claimed).toMatchObject({
      transaction,
      decision: 'commit',
      finisher: OWNER,
      branches: BRANCHES,
      heuristics: [evidence(2)],
    });
  });

  it('claims at most as many as asked for, and nothing that ended', async () => {
    const [ended, ...left] = (await commits(4, dead)) as [TransactionId, ...TransactionId[]];
    h.register.noteEnded(ended, 'committed', 1);
    await endOf(h, ended);
    const first = await h.register.claimUnfinished(dead, OWNER, 2);
    expect(first).toHaveLength(2);
    const rest = await h.register.claimUnfinished(dead, OWNER, 2);
    const claimed = [...first, ...rest].map((one) => one.transaction);
    expect(claimed.sort()).toEqual([...left].sort());
    expect(await h.register.claimUnfinished('n0b0dy00' as Incarnation, OWNER, 2)).toEqual([]);
  });
}

function describeForgetting(create: Create): void {
  let h: RegisterHarness;
  beforeEach(async () => (h = await create()));
  afterEach(() => h.close());

  /** Runs where the implementation forgets at all. */
  const whereItForgets = async (
    test: (forget: (unixMs: number) => Promise<void>) => Promise<void>,
  ): Promise<void> => {
    if (h.forget) await test((unixMs) => (h.forget as NonNullable<typeof h.forget>)(unixMs));
  };
  const now = (): number => EPOCH_MS + made + 1;

  it('answers "forgotten" for what was pruned, to any proposal', async () => {
    await whereItForgets(async (forget) => {
      const [aborted, committed] = [freshTransaction(), freshTransaction()];
      await h.register.decide(abortOf(aborted));
      await h.register.decide(commitOf(committed));
      h.register.noteEnded(committed, 'committed', 1);
      await endOf(h, committed);
      await forget(now());
      for (const one of [aborted, committed]) {
        expect(await h.other.standing(one)).toBeUndefined();
        expect(await h.other.decide(abortOf(one))).toEqual({ kind: 'forgotten' });
        expect(await h.register.decide(commitOf(one))).toEqual({ kind: 'forgotten' });
      }
    });
  });

  it('cannot distinguish what never had a decision from what was pruned', async () => {
    await whereItForgets(async (forget) => {
      const silent = freshTransaction();
      await forget(now());
      expect(await h.register.decide(abortOf(silent))).toEqual({ kind: 'forgotten' });
    });
  });

  it('forgets no commit that has not ended, nor anything younger', async () => {
    await whereItForgets(async (forget) => {
      const unended = freshTransaction();
      await h.register.decide(commitOf(unended));
      const younger = freshTransaction();
      await h.register.decide(abortOf(younger));
      await forget(now());
      expect(standingIn(await h.other.decide(abortOf(unended))).decision).toBe('commit');
      expect(standingIn(await h.other.decide(commitOf(younger))).decision).toBe('abort');
      const next = await h.register.decide(commitOf(freshTransaction()));
      expect(next).toMatchObject({ kind: 'on-record', byUs: true });
    });
  });

  it('forgets no heuristic before it is resolved', async () => {
    await whereItForgets(async (forget) => {
      const transaction = freshTransaction();
      await h.register.recordHeuristic(transaction, 'abort', evidence(1, 'abort', 'committed'));
      await forget(now());
      expect(await h.other.standing(transaction)).toMatchObject({ outcome: 'heuristic-mixed' });
    });
  });

  it('frees the key of a commit that it forgot', async () => {
    await whereItForgets(async (forget) => {
      const idempotency = { key: freshKey(), fingerprint: 'f00d' };
      const first = freshTransaction();
      await h.register.decide(commitOf(first, { idempotency }));
      h.register.noteEnded(first, 'committed', 1);
      await endOf(h, first);
      await forget(now());
      expect(await h.register.holderOf(idempotency.key)).toBeUndefined();
      const next = await h.other.decide(commitOf(freshTransaction(), { idempotency }));
      expect(next).toMatchObject({ kind: 'on-record', byUs: true });
    });
  });
}

/** Waits until the lazily noted end of a commit can be seen. */
function endOf(h: RegisterHarness, transaction: TransactionId): Promise<StandingDecision> {
  return waitFor(
    async () => {
      const standing = await h.other.standing(transaction);
      return standing?.endedAtMs === undefined ? undefined : standing;
    },
    { what: 'a noted end to be written', everyMs: 5 },
  );
}
