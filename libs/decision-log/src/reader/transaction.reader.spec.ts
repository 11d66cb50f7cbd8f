/** Lists and single transactions: the register's truth over the history's story, page by page. */
import type { BranchView, TransactionStatus, TransactionView } from '@concordat/engine';
import {
  makeBranchId,
  madeAtMs,
  ownerOf,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import {
  DecisionLogStage,
  SettableClock,
} from '../../../../test/conformance/decision-log-stage.js';
import {
  abortOf,
  BRANCHES,
  commitOf,
  evidence,
  freshTransaction,
} from '../../../../test/conformance/decision-register.js';
import type { DecisionLog } from '../decision-log.js';
import { CursorRefused } from '../refusals.js';
import type { TransactionFilter } from './list-filter.js';

let stage: DecisionLogStage;
let clock: SettableClock;
let log: DecisionLog;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

beforeEach(async () => {
  clock = new SettableClock();
  log = await stage.log(await stage.emptied(), { clock });
});

const branch = (ordinal: number, participant: string): BranchView => ({
  branch: makeBranchId(ordinal),
  participant: participant as ParticipantName,
  work: 'bundled',
  operations: ['debit'],
  attempts: 0,
});

/** Notes a transaction in the history only. */
function note(status: TransactionStatus, more: Partial<TransactionView> = {}): TransactionId {
  const transaction = more.transaction ?? freshTransaction();
  const over = /^(committed|aborted|heuristic)/.test(status);
  log.historyWriter.note({
    transaction,
    owner: ownerOf(transaction),
    principal: 'teller',
    status,
    timeoutMs: 10_000,
    begunAtMs: madeAtMs(transaction),
    branches: [branch(1, 'ledger-east'), branch(2, 'ledger-west')],
    timeline: [{ sequence: 1, atMs: madeAtMs(transaction), type: 'begun' }],
    version: 1,
    ...(over ? { endedAtMs: madeAtMs(transaction) + 1 } : {}),
    ...more,
  });
  return transaction;
}

async function commit(ended: boolean): Promise<TransactionId> {
  const transaction = freshTransaction();
  await log.register.decide(commitOf(transaction, { note: { label: 'transfer' } }));
  if (ended) {
    log.register.noteEnded(transaction, 'committed', 1);
    await log.register.flushEnded();
  }
  return transaction;
}

async function listed(filter: TransactionFilter = {}): Promise<TransactionId[]> {
  await log.historyWriter.flush();
  return (await log.reader.list(filter)).transactions.map((one) => one.transaction);
}

describe('one transaction', () => {
  it('is undefined when it is unknown', async () => {
    expect(await log.reader.get(freshTransaction())).toBeUndefined();
    expect(await log.reader.get("'; DROP TABLE --" as TransactionId)).toBeUndefined();
  });

  it('is read from the register alone when its history was lost', async () => {
    const idempotency = { key: 'teller:k', fingerprint: 'f00d' };
    const transaction = freshTransaction();
    const note = { label: 'transfer' };
    await log.register.decide(commitOf(transaction, { idempotency, note }));
    log.register.noteEnded(transaction, 'committed', 1);
    await log.register.flushEnded();
    expect(await log.reader.get(transaction)).toMatchObject({
      transaction,
      owner: ownerOf(transaction),
      status: 'committed',
      decision: 'commit',
      outcome: 'committed',
      decisionStands: true,
      label: 'transfer',
      idempotency,
      begunAtMs: madeAtMs(transaction),
      branches: BRANCHES.map(({ branch, participant }) => ({
        branch,
        participant,
        outcome: { kind: 'committed' },
      })),
      timeline: [],
    });
  });

  it.each<[TransactionStatus, 'commit' | 'abort', TransactionStatus]>([
    ['preparing', 'abort', 'aborted'],
    ['deciding', 'commit', 'committing'],
    ['committed', 'commit', 'committing'],
    ['aborting', 'abort', 'aborted'],
  ])('last noted as %s has the status of its %s on record', async (noted, decision, status) => {
    const transaction = note(noted);
    const proposal = decision === 'commit' ? commitOf(transaction) : abortOf(transaction);
    await log.register.decide(proposal);
    await log.historyWriter.flush();
    expect(await log.reader.get(transaction)).toMatchObject({ status, decision });
  });

  it('with evidence is heuristic, whatever its history says', async () => {
    const transaction = note('committed', { decision: 'commit' });
    await log.historyWriter.flush();
    await log.register.decide(commitOf(transaction));
    await log.register.recordHeuristic(transaction, 'commit', evidence(1, 'commit', 'unknown'));
    expect(await log.reader.get(transaction)).toMatchObject({
      status: 'heuristic-hazard',
      heuristics: [{ branch: '1', recordedAtMs: expect.any(Number) as number }],
      branches: [{ branch: '1', outcome: { kind: 'heuristic' } }, { branch: '2' }],
    });
    await log.register.recordHeuristic(transaction, 'commit', evidence(2));
    expect((await log.reader.get(transaction))?.status).toBe('heuristic-mixed');
  });
});

describe('A transaction in one phase that its participant has forgotten', () => {
  const forgotten = async () => {
    const alone = `${freshTransaction()}-ledger-east` as TransactionId;
    note('deciding', { transaction: alone, principal: 'alice' });
    await log.historyWriter.flush();
    await log.register.recordHeuristic(alone, 'abort', evidence(1, 'abort', 'unknown'));
    return alone;
  };

  it('is not known, without a decision, and has ended when that was recorded', async () => {
    const alone = await forgotten();
    const record = await log.reader.get(alone);
    expect(record).toMatchObject({
      status: 'heuristic-hazard',
      outcome: 'heuristic-hazard',
      endedAtMs: record?.heuristics[0]?.recordedAtMs,
    });
    expect(record).not.toHaveProperty('decision');
    expect(await log.reader.abandonedBy(ownerOf(alone), 10)).not.toContain(alone);
  });

  it('is among what is stuck until somebody has resolved it, and its client finds it', async () => {
    const alone = await forgotten();
    expect(await listed({ view: 'stuck' })).toEqual([alone]);
    expect(await listed({ status: 'heuristic-hazard', principal: 'alice' })).toEqual([alone]);
    expect(await listed({ status: 'heuristic-hazard', principal: 'bob' })).toEqual([]);
    expect(await listed({ status: 'aborted' })).toEqual([]);
    await log.register.resolveHeuristic(alone, { by: 'olga', reason: 'looked' });
    expect(await listed({ view: 'stuck' })).toEqual([]);
    expect((await log.reader.get(alone))?.status).toBe('heuristic-hazard');
  });
});

describe('What asks for its decision', () => {
  it.each(['proposed', 'settle-sent'])('says since when, in a list too: %s', async (type) => {
    const atMs = Date.now() - 5_000;
    const timeline = [
      { sequence: 1, atMs: atMs - 60_000, type: 'begun' },
      { sequence: 2, atMs, type },
      { sequence: 3, atMs: atMs + 1_000, type },
    ];
    const transaction = note('deciding', { timeline });
    const untold = note('deciding');
    await log.historyWriter.flush();
    const since = { decidingSinceMs: atMs };
    expect(await log.reader.get(transaction)).toMatchObject(since);
    const found = await log.reader.some([transaction, untold]);
    expect(found).toMatchObject([since, {}]);
    expect(found[1]).not.toHaveProperty('decidingSinceMs');
  });
});

describe('a list', () => {
  it('shows the newest first, from register and history together, each once', async () => {
    const readOnly = note('committed');
    const unended = await commit(false);
    const both = await commit(true);
    note('committed', { transaction: both });
    const active = note('active');
    expect(await listed()).toEqual([active, both, unended, readOnly]);
  });

  it('narrows to a status by the decision on record', async () => {
    const active = note('active');
    const deciding = note('deciding');
    const unended = await commit(false);
    note('deciding', { transaction: unended });
    const ended = await commit(true);
    note('committing', { transaction: ended });
    const readOnly = note('committed');
    const presumed = note('aborted');
    const inquired = note('preparing');
    await log.register.decide(abortOf(inquired));
    const damaged = await commit(true);
    note('committed', { transaction: damaged });
    await log.register.recordHeuristic(damaged, 'commit', evidence(1));
    expect(await listed({ status: 'active' })).toEqual([active]);
    expect(await listed({ status: 'preparing' })).toEqual([]);
    expect(await listed({ status: 'deciding' })).toEqual([deciding]);
    expect(await listed({ status: 'committing' })).toEqual([unended]);
    expect(await listed({ status: 'committed' })).toEqual([readOnly, ended]);
    expect(await listed({ status: 'aborted' })).toEqual([inquired, presumed]);
    expect(await listed({ status: 'heuristic-mixed' })).toEqual([damaged]);
    expect(await listed({ status: 'heuristic-hazard' })).toEqual([]);
  });

  it('narrows to a participant, a label, a principal, and to several at once', async () => {
    const one = note('committed', { label: 'transfer', principal: 'alice' });
    const two = note('committed', {
      label: 'refund',
      principal: 'alice',
      branches: [branch(1, 'stock'), branch(2, 'ledger-west')],
    });
    const three = note('aborted', { label: 'transfer', principal: "o'hara" });
    const stock = 'stock' as ParticipantName;
    const west = 'ledger-west' as ParticipantName;
    expect(await listed({ participant: stock })).toEqual([two]);
    expect(await listed({ participant: west })).toEqual([three, two, one]);
    expect(await listed({ label: 'transfer' })).toEqual([three, one]);
    expect(await listed({ principal: 'alice' })).toEqual([two, one]);
    expect(await listed({ principal: "o'hara", label: 'transfer' })).toEqual([three]);
    expect(await listed({ participant: west, status: 'aborted' })).toEqual([three]);
    expect(await listed({ participant: stock, label: 'transfer' })).toEqual([]);
    expect(await listed({ label: "' OR true --" })).toEqual([]);
  });

  it('finds decided transactions by their story even where that lags behind', async () => {
    const label = 'transfer';
    const committing = await commit(false);
    const ended = await commit(true);
    const inquired = freshTransaction();
    await log.register.decide(abortOf(inquired));
    for (const transaction of [committing, ended, inquired]) {
      note('preparing', { transaction, label });
    }
    await commit(true); // No label was noted for this one.
    expect(await listed({ label, status: 'committing' })).toEqual([committing]);
    expect(await listed({ label, status: 'committed' })).toEqual([ended]);
    expect(await listed({ label, status: 'aborted' })).toEqual([inquired]);
    expect(await listed({ label })).toEqual([inquired, ended, committing]);
    const participant = 'ledger-east' as ParticipantName;
    expect(await listed({ participant, status: 'committing' })).toEqual([committing]);
  });

  it('narrows to what is older than an age', async () => {
    const old = note('committed');
    const young = note('committed');
    clock.wallMs = madeAtMs(young) + 1_000;
    expect(await listed({ olderThanMs: 1_000 })).toEqual([old]);
    expect(await listed({ olderThanMs: 999 })).toEqual([young, old]);
  });

  it('shows what is stuck: unended commits, transactions past their time-out, open heuristics', async () => {
    const unended = await commit(false);
    const lost = note('preparing', { begunAtMs: Date.now() - 60_000 });
    const aborted = note('preparing', { begunAtMs: Date.now() - 60_000 });
    await log.register.decide(abortOf(aborted));
    note('active', { begunAtMs: Date.now() });
    await commit(true);
    const damaged = await commit(true);
    await log.register.recordHeuristic(damaged, 'commit', evidence(1));
    expect(await listed({ stuck: true })).toEqual([damaged, lost, unended]);
    expect(await listed({ stuck: true, status: 'committing' })).toEqual([unended]);
    expect(await listed({ stuck: true, status: 'preparing' })).toEqual([lost]);
    expect(await listed({ stuck: true, principal: 'teller' })).toEqual([lost]);
    await log.register.resolveHeuristic(damaged, { by: 'ops:ada', reason: 'paid back' });
    expect(await listed({ stuck: true })).toEqual([lost, unended]);
    clock.wallMs = madeAtMs(unended) + 9_000;
    expect(await listed({ stuck: true })).toEqual([]);
  });

  it('knows what a dead coordinator left undecided', async () => {
    const left = note('preparing');
    note('committed');
    const alone = note('deciding', { transaction: `${left}-ledger-east` as TransactionId });
    const decided = note('deciding');
    await log.register.decide(commitOf(decided));
    await log.historyWriter.flush();
    expect(await log.reader.abandonedBy(ownerOf(left), 10)).toEqual([left, alone]);
    expect(await log.reader.abandonedBy(ownerOf(left), 1)).toEqual([left]);
    expect(await log.reader.abandonedBy(ownerOf(left), 1, left)).toEqual([alone]);
    expect(await log.reader.abandonedBy('n0b0dy00' as Incarnation, 10)).toEqual([]);
  });

  it('counts what alerts look at', async () => {
    await commit(false);
    await commit(true);
    const damaged = await commit(false);
    await log.register.recordHeuristic(damaged, 'commit', evidence(1));
    await log.register.recordHeuristic(damaged, 'commit', evidence(2));
    expect(await log.reader.attention()).toEqual({
      unfinishedCommits: 2,
      oldestUnfinishedMs: expect.any(Number) as number,
      unresolvedHeuristics: 1,
    });
  });
});

describe('a page', () => {
  it('follows another without gap or repeat, while new transactions arrive', async () => {
    const all: TransactionId[] = [];
    for (let at = 0; at < 25; at++) all.unshift(at % 3 ? note('committed') : await commit(true));
    await log.historyWriter.flush();
    const seen: TransactionId[] = [];
    let cursor: string | undefined;
    do {
      const page = await log.reader.list({ status: 'committed', limit: 4, cursor });
      expect(page.transactions.length).toBeLessThanOrEqual(4);
      seen.push(...page.transactions.map((one) => one.transaction));
      cursor = page.nextCursor;
      note('committed');
      await log.historyWriter.flush();
    } while (cursor !== undefined);
    expect(seen).toEqual(all);
  });

  it('is filled from further back where stories lag behind, and goes on after them', async () => {
    const first = note('committed');
    for (let at = 0; at < 30; at++) note('committed', { transaction: await commit(false) });
    const last = note('committed');
    await log.historyWriter.flush();
    const seen: TransactionId[] = [];
    let cursor: string | undefined;
    do {
      const page = await log.reader.list({ status: 'committed', limit: 2, cursor });
      seen.push(...page.transactions.map((one) => one.transaction));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(seen).toEqual([last, first]);
  });

  it('is bounded, for any request', async () => {
    for (let at = 0; at < 3; at++) note('committed');
    await log.historyWriter.flush();
    for (const limit of [0, -5, 0.5]) {
      expect((await log.reader.list({ limit })).transactions).toHaveLength(1);
    }
    expect((await log.reader.list({ limit: 1e9 })).transactions).toHaveLength(3);
  });

  it('shows what does harm first, then the oldest, each once, with any changes between pages', async () => {
    const ids = Array.from({ length: 9 }, () => note('deciding'));
    await log.historyWriter.flush();
    const [a, b, c, d] = [ids[6], ids[3], ids[8], ids[1]] as TransactionId[];
    const request = { view: 'deciding', oldestFirst: true, limit: 2 } as const;
    const shown: (TransactionId | undefined)[] = [];
    let cursor: string | undefined;
    // The second page is asked for when another one does harm and one of the first does not any more.
    for (const first of [[a, b, c], [c, d, b], [d], [d, a], []] as TransactionId[][]) {
      const page = await log.reader.list({ ...request, first, cursor });
      shown.push(...page.transactions.map((one) => one.transaction));
      cursor = page.nextCursor;
    }
    expect(cursor).toBeUndefined();
    const rest = ids.filter((id) => ![a, b, c, d].includes(id));
    expect(shown).toEqual([a, b, c, d, ...rest]);
  });

  it('puts nothing first that does not belong to the list', async () => {
    const [east, aborted] = [note('deciding'), note('aborted')];
    const stranger = freshTransaction();
    await log.historyWriter.flush();
    const first = [aborted, stranger, east];
    const page = await log.reader.list({ view: 'in-doubt', oldestFirst: true, first });
    expect(page.transactions.map((one) => one.transaction)).toEqual([east]);
  });

  it('lists as many stuck ones as it counts, however many of them do harm', async () => {
    const begunAtMs = Date.now() - 60_000;
    const open = note('preparing', { begunAtMs, timeoutMs: 900_000 }); // It has time left.
    const late = note('preparing', { begunAtMs, timeoutMs: 1_000 });
    const [commits, damaged, ended] = [await commit(false), await commit(true), await commit(true)];
    await log.register.recordHeuristic(damaged, 'commit', evidence(1));
    await log.historyWriter.flush();
    clock.wallMs = Date.now() + 60_000;
    const first = [open, damaged, late, commits, ended];
    const { transactions } = await log.reader.list({ view: 'stuck', oldestFirst: true, first });
    expect(transactions.map((one) => one.transaction)).toEqual([damaged, late, commits]);
    expect((await log.reader.count({ view: 'stuck' })).value).toBe(transactions.length);
  });

  it('counts a list, once for each transaction', async () => {
    for (let at = 0; at < 3; at++) await commit(false);
    const bad = await commit(false);
    await log.register.recordHeuristic(bad, 'commit', evidence(1));
    clock.wallMs = Date.now() + 60_000;
    expect(await log.reader.count({ view: 'stuck' })).toEqual({ value: 4, isMore: false });
    expect(await log.reader.count({ view: 'heuristic' })).toEqual({ value: 1, isMore: false });
  });

  it('is looked for again where that took too long, and leaves nothing out', async () => {
    const url = await stage.emptied();
    log = await stage.log(url, { clock });
    const ids = Array.from({ length: 3 }, () => note('committed', { label: 'transfer' })).sort();
    const filter = { participant: 'ledger-east' as ParticipantName, label: 'transfer' };
    expect(await listed(filter)).toEqual([...ids].reverse());
    const dba = await stage.dba(url);
    const other = await stage.dba(url);
    await dba.query('BEGIN; LOCK TABLE concordat.journal_participant IN ACCESS EXCLUSIVE MODE');
    const asked = listed(filter);
    // A window whose statement was ended is asked for again, by another session.
    const waited = new Set<number>();
    await waitFor(
      async () => {
        const { rows } = await other.query<{ pid: number }>(
          `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        for (const { pid } of rows) waited.add(pid);
        return waited.size >= 2;
      },
      { what: 'a second session to ask' },
    );
    await dba.query('ROLLBACK');
    expect(await asked).toEqual([...ids].reverse());
  });

  it('finds transactions by the beginning of their id', async () => {
    const [one, other] = [note('committed'), note('committed')] as [TransactionId, TransactionId];
    expect(await listed({ idBegins: one })).toEqual([one]);
    expect(await listed({ idBegins: one.slice(0, 26) })).toEqual([one]);
    expect((await listed({ idBegins: one.slice(0, 4) })).sort()).toEqual([one, other].sort());
    expect(await listed({ idBegins: 'zzzz' })).toEqual([]);
  });

  it('refuses the cursor of another list, and what is no cursor', async () => {
    for (let at = 0; at < 3; at++) note('committed', { label: 'transfer' });
    await log.historyWriter.flush();
    const { nextCursor: cursor } = await log.reader.list({ label: 'transfer', limit: 1 });
    const other = log.reader.list({ label: 'refund', limit: 1, cursor });
    await expect(other).rejects.toThrow(CursorRefused);
    await expect(other).rejects.toThrow(/another filter: begin again without a cursor/);
    const same = { limit: 2, cursor, status: undefined, label: 'transfer' };
    expect((await log.reader.list(same)).transactions).toHaveLength(2);
    for (const nonsense of ['', 'abc', '%00', Buffer.from('1.x.y').toString('base64url')]) {
      await expect(log.reader.list({ cursor: nonsense })).rejects.toThrow(/no cursor of ours/);
    }
  });
});
