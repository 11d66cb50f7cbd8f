/**
 * Reconciliation on real servers: what a DBA's manual change leaves behind is found, whichever process has
 * died since, and nothing is found where everything is right.
 */
import { makeTransactionId, type ParticipantName, type TransactionId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { randomBytes } from 'node:crypto';
import { OrphanList } from '../../apps/coordinator/src/admin/orphans/orphan-list.js';
import { isNightly } from '../stage/nightly.js';
import { gate } from './channel-stage.js';
import { FIRST, ReconciliationStage, type Coordinator } from './reconciliation-stage.js';
import { untoldCommits } from './untold-commits.js';

const EAST = 'ledger-east' as ParticipantName;
const WEST = 'ledger-west' as ParticipantName;
const HOUR = 3_600_000;

let stage: ReconciliationStage;
let one: Coordinator;

beforeAll(async () => {
  stage = await ReconciliationStage.open();
  one = await stage.coordinator();
  await stage.participant(EAST, one);
  await stage.participant(WEST, one);
}, 120_000);

// Also after a red test: nothing waits for the rest of the suite.
afterEach(async () => {
  stage.hold.open();
  await Promise.allSettled(begun.splice(0));
}, 60_000);

afterAll(() => stage.close(), 60_000);

/** What a test has begun; none ends before that has. */
const begun: Promise<unknown>[] = [];

const pass = (at = one) => at.reconciler.pass({ regardless: true });

/** What a pass finds of one transaction. */
async function found(transaction: TransactionId) {
  const { orphans } = await pass();
  return orphans.filter((orphan) => orphan.transaction === transaction);
}

async function transfer(operation = 'write', waitMs = 20_000) {
  const operations = (name: string) => [{ name, input: {} }];
  const transaction = one.manager.submit(
    {
      principal: 'test',
      branches: [
        { participant: EAST, operations: operations('write') },
        { participant: WEST, operations: operations(operation) },
      ],
    },
    { until: 'completed', waitMs },
  );
  begun.push(transaction);
  return transaction;
}

describe('where everything is right', () => {
  it('nothing is found and nothing is recorded, over commits and aborts', async () => {
    for (let n = 0; n < 5; n++) expect((await transfer()).status).toBe('committed');
    expect((await transfer('no-such-operation')).status).toBe('aborted');
    const before = await stage.heuristics();
    const report = await pass();
    expect(report).toMatchObject({ orphans: [], silent: [], recorded: [], truncated: false });
    expect(report.lastError).toBeUndefined();
    expect(report.participants).toMatchObject([
      { participant: EAST, state: 'compared', prepared: 0, upToDate: true },
      { participant: WEST, state: 'compared', prepared: 0, upToDate: true },
    ]);
    expect(report.participants[0]?.rows).toBeGreaterThanOrEqual(5);
    expect(await stage.heuristics()).toEqual(before);
  });
});

describe('a branch committed manually before any decision', () => {
  it('is found by its outcome row when its owner is dead: an abort is recorded, and it is heuristic', async () => {
    const orphan = await stage.prepared(one, EAST, { madeMsAgo: 0 });
    await stage.commitByHand(EAST, orphan.gid);
    const { transaction, branch, participant } = orphan;
    expect((await pass()).recorded).toEqual([{ transaction, branch, participant }]);
    expect(await stage.decisionOf(transaction)).toBe('abort');
    expect(await stage.heuristics()).toContainEqual({
      transaction,
      participant,
      found: 'committed',
    });
    expect(await one.log.reader.get(transaction)).toMatchObject({ status: 'heuristic-mixed' });
    const again = await pass();
    expect(again.recorded).toEqual([]);
    expect(again.orphans.filter((it) => it.transaction === transaction)).toEqual([]);
  });

  it('is left to its owner while that one lives, and is fine when it commits', async () => {
    stage.hold = gate();
    const transaction = transfer('wait');
    const gid = await waitFor(
      async () => {
        const [row] = await stage.sql<{ gid: string }>(EAST, 'SELECT gid FROM pg_prepared_xacts');
        return row?.gid;
      },
      { what: 'the branch at ledger-east to be prepared' },
    );
    await stage.commitByHand(EAST, gid);
    const id = gid.split(':')[2] as TransactionId;
    stage.losesFates = true;
    const { orphans, participants } = await pass();
    stage.losesFates = false;
    // The row was met, so it is reported, and a participant that could not be asked is not called completely
    // compared.
    expect(orphans).toMatchObject([{ kind: 'committed-undecided', gid, participant: EAST }]);
    expect(participants.find((it) => it.participant === EAST)).toMatchObject({
      upToDate: false,
      why: 'the outcome of 1 watched branches is not known; they stay watched',
    });
    expect(await found(id)).toMatchObject([
      { kind: 'committed-undecided', gid, participant: EAST },
    ]);
    expect(await stage.decisionOf(id)).toBeUndefined();
    stage.hold.open();
    expect((await transaction).status).toBe('committed');
    expect(await found(id)).toEqual([]);
    expect((await stage.heuristics()).filter((it) => it.transaction === id)).toEqual([]);
    expect(await one.log.reconciliation.watched(EAST)).toEqual([]);
  });

  it('is found although its row appears far below everything that was compared before', async () => {
    const old = await stage.prepared(one, WEST, { madeMsAgo: 3 * HOUR });
    await pass();
    await transfer();
    const { participants } = await pass();
    expect(participants.every((it) => it.upToDate)).toBe(true);
    expect(await one.log.reconciliation.watched(WEST)).toEqual([old.gid]);
    await stage.commitByHand(WEST, old.gid);
    const { transaction, branch, participant } = old;
    expect((await pass()).recorded).toEqual([{ transaction, branch, participant }]);
    expect(await one.log.reconciliation.watched(WEST)).toEqual([]);
  });

  it('is not believed of a branch that is another’s by its owner’s story, and is shown', async () => {
    const { transaction } = await transfer('no-such-operation');
    await waitFor(async () => (await one.log.history.storyOf(transaction))?.isComplete, {
      what: 'its story to be written',
    });
    // Its owner would report it by itself while it remembers, which it does until its end is on record.
    const isForgotten = async (): Promise<boolean> => {
      await one.manager.proveEnds();
      return one.manager.view(transaction) === undefined;
    };
    await waitFor(isForgotten, { what: 'its owner to forget it' });
    // The second branch is the west's.
    const row = `INSERT INTO concordat_branch (transaction, branch, participant, kind)
      VALUES ($1, 2, $2, 'branch')`;
    await stage.sql(EAST, row, [transaction, EAST]);
    const { recorded, participants } = await pass();
    expect(recorded).toEqual([]);
    const east = participants.find(({ participant }) => participant === EAST);
    expect(east?.why).toContain(`1 of its outcome rows are of branches that are not its own`);
    expect(east?.why).toContain(`${transaction}:2`);
    expect((await stage.heuristics()).map((it) => it.transaction)).not.toContain(transaction);
    await stage.sql(EAST, 'DELETE FROM concordat_branch WHERE transaction = $1 AND branch = 2', [
      transaction,
    ]);
    expect((await pass()).participants.map((it) => it.why)).toEqual([undefined, undefined]);
  });

  it('can be recorded at an operator’s word, and nothing else can', async () => {
    const orphan = await stage.prepared(one, EAST);
    expect(await one.reconciler.recordCommitted(orphan)).toMatchObject({
      kind: 'nothing-to-record',
    });
    await stage.commitByHand(EAST, orphan.gid);
    expect(await one.reconciler.recordCommitted(orphan)).toEqual({ kind: 'recorded' });
    const right = await transfer();
    const asked = { transaction: right.transaction, branch: FIRST, participant: EAST };
    expect(await one.reconciler.recordCommitted(asked)).toMatchObject({
      kind: 'nothing-to-record',
    });
  });
});

describe('a prepared branch', () => {
  it('whose owner is dead is an orphan, and is finished by a recorded abort', async () => {
    const orphan = await stage.prepared(one, EAST);
    expect(await found(orphan.transaction)).toEqual([
      {
        ...orphan,
        kind: 'prepared-unknown',
        heldMs: expect.any(Number),
        evidence: expect.any(String),
      },
    ]);
    expect(await stage.decisionOf(orphan.transaction)).toBeUndefined(); // Looking decides nothing.
    expect(await one.settler.finish(orphan)).toEqual({
      kind: 'finished',
      decision: 'abort',
      outcome: { kind: 'aborted' },
    });
    expect(await stage.decisionOf(orphan.transaction)).toBe('abort');
    expect(await found(orphan.transaction)).toEqual([]);
  });

  it('of a commit that a dead coordinator left is one with a verdict, and is committed', async () => {
    const orphan = await stage.prepared(one, EAST);
    const { transaction, branch, participant } = orphan;
    await one.log.register.decide({
      transaction,
      proposed: 'commit',
      finisher: 'deadown1' as Coordinator['incarnation'],
      branches: [{ branch, participant, work: 'bundled' }],
    });
    expect(await found(transaction)).toMatchObject([
      { kind: 'prepared-decided', verdict: 'commit' },
    ]);
    expect(await one.settler.force(orphan, 'abort')).toEqual({
      kind: 'not-forgotten',
      standing: 'commit',
    });
    expect(await one.settler.finish(orphan)).toMatchObject({ outcome: { kind: 'committed' } });
    expect(await one.settler.finish(orphan)).toMatchObject({ outcome: { kind: 'committed' } });
    expect(await found(transaction)).toEqual([]);
  });

  it('that a commit names for another participant is left to that one, and it is said', async () => {
    const shared = await stage.prepared(one, EAST);
    const { transaction, branch } = shared;
    await one.log.register.decide({
      transaction,
      proposed: 'commit',
      finisher: 'deadown1' as Coordinator['incarnation'],
      branches: [{ branch, participant: WEST, work: 'bundled' }],
    });
    const { orphans, participants } = await pass();
    const ofEast = orphans.filter((it) => it.gid === shared.gid && it.participant === EAST);
    expect(ofEast).toEqual([]);
    const east = participants.find(({ participant }) => participant === EAST);
    expect(east?.why).toContain('1 of the prepared branches that it lists are of another');
    // What the west's database does not hold is missing there.
    expect(await found(transaction)).toMatchObject([{ kind: 'decided-lost', participant: WEST }]);
    await stage.sql(EAST, `ROLLBACK PREPARED '${shared.gid}'`);
    await one.settler.finish({ transaction, branch, participant: WEST });
  });

  it('that was rolled back manually though commit is on record is lost, and is recorded when finished', async () => {
    const orphan = await stage.prepared(one, EAST);
    const { transaction, branch, participant } = orphan;
    await one.log.register.decide({
      transaction,
      proposed: 'commit',
      finisher: 'deadown1' as Coordinator['incarnation'],
      branches: [{ branch, participant, work: 'bundled' }],
    });
    await stage.sql(EAST, `ROLLBACK PREPARED '${orphan.gid}'`);
    expect(await found(transaction)).toMatchObject([{ kind: 'decided-lost', verdict: 'commit' }]);
    expect(await one.settler.finish(orphan)).toMatchObject({
      kind: 'finished',
      outcome: { kind: 'heuristic', evidence: { found: 'missing' } },
      recorded: true,
    });
    expect(await stage.heuristics()).toContainEqual({ transaction, participant, found: 'missing' });
  });

  it('of a live transaction is no orphan, and is neither finished nor forced', async () => {
    stage.hold = gate();
    const running = transfer('wait');
    const gid = await waitFor(
      async () => {
        const [row] = await stage.sql<{ gid: string }>(EAST, 'SELECT gid FROM pg_prepared_xacts');
        return row?.gid;
      },
      { what: 'the branch at ledger-east to be prepared' },
    );
    const transaction = gid.split(':')[2] as TransactionId;
    const orphan = { transaction, branch: FIRST, participant: EAST };
    expect(await found(transaction)).toEqual([]);
    expect(await one.settler.finish(orphan)).toEqual({ kind: 'undecided' });
    expect(await one.settler.force(orphan, 'abort')).toEqual({ kind: 'not-forgotten' });
    stage.hold.open();
    expect((await running).status).toBe('committed');
  });

  it('at a participant that is away is reported as unreachable, with the decision on record', async () => {
    const absent = { participant: 'ledger-none' as ParticipantName, branch: FIRST };
    const { transaction } = await stage.prepared(one, EAST);
    expect(await one.settler.finish({ ...absent, transaction })).toMatchObject({
      kind: 'unreachable',
      decision: 'abort',
      certain: true,
    });
    const orphan = { transaction, branch: FIRST, participant: EAST };
    expect(await one.settler.finish(orphan)).toMatchObject({ kind: 'finished' });
  });
});

describe('a participant about which the register does not answer', () => {
  it('is said to be so, and the others are compared; what was found there before is kept', async () => {
    const list = new OrphanList(one.reconciler);
    const [east, west] = [await stage.prepared(one, EAST), await stage.prepared(one, WEST)];
    await pass();
    const listed = () =>
      list
        .report()
        .orphans.filter((it) => it.gid === east.gid || it.gid === west.gid)
        .map((it) => [it.participant, it.foundAtMs !== undefined]);
    expect(listed()).toEqual([
      [EAST, false],
      [WEST, false],
    ]);
    await stage.sql('register', failingFor(EAST));
    const report = await pass();
    expect(report.lastError).toBeUndefined();
    expect(report.participants).toMatchObject([
      { participant: EAST, state: 'failed', why: expect.stringContaining('not now') as string },
      { participant: WEST, state: 'compared', upToDate: true },
    ]);
    expect(listed()).toEqual([
      [WEST, false],
      [EAST, true],
    ]);
    expect(list.report().notCompared.map((it) => it.participant)).toEqual([EAST]);
    await stage.sql('register', 'DROP TRIGGER not_now ON concordat.reconciliation');
    expect((await pass()).participants[0]).toMatchObject({ participant: EAST, state: 'compared' });
    for (const orphan of [east, west]) await one.settler.finish(orphan);
    expect(listed().length).toBeGreaterThan(0);
    await pass();
    expect(listed()).toEqual([]);
  });
});

/** Every write about one participant's scan is refused by a server that is about to stop. */
const failingFor = (participant: string): string => `
  CREATE OR REPLACE FUNCTION concordat.not_now() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '57P03'; END $$;
  CREATE TRIGGER not_now BEFORE INSERT OR UPDATE ON concordat.reconciliation
    FOR EACH ROW WHEN (NEW.participant = '${participant}') EXECUTE FUNCTION concordat.not_now()`;

describe('two coordinators', () => {
  it('take turns at the outcome rows, and either finds what is prepared', async () => {
    const two = await stage.coordinator();
    const first = await one.reconciler.pass({ regardless: true });
    const second = await two.reconciler.pass();
    expect(first.participants[0]?.rows).toBeGreaterThan(0);
    expect(second.participants.map((it) => it.rows)).toEqual([0, 0]); // Not its turn.
    const orphan = await stage.prepared(one, EAST, { owner: two.incarnation });
    // Its owner lives and does not know it: no coordinator made it.
    expect(await found(orphan.transaction)).toMatchObject([{ kind: 'prepared-unknown' }]);
    expect((await pass(two)).orphans.map((it) => it.gid)).toContain(orphan.gid);
    expect(await two.settler.finish(orphan)).toMatchObject({ kind: 'finished' });
  });
});

describe('past retention', () => {
  it('rows are left alone, and a branch whose decision is no longer known is finished only by force', async () => {
    const row = await stage.prepared(one, EAST, { madeMsAgo: 5 * HOUR });
    await stage.commitByHand(EAST, row.gid);
    const commit = await stage.prepared(one, EAST, { madeMsAgo: 4 * HOUR });
    const abort = await stage.prepared(one, EAST, { madeMsAgo: 4 * HOUR });
    await stage.sql('register', 'DELETE FROM concordat.coordinator'); // Else they hold the mark.
    await stage.sql(
      'register',
      `UPDATE concordat.decision SET ended_at = now(), outcome = 'committed'
      WHERE ended_at IS NULL`,
    );
    await one.log.register.prune(2 * HOUR);
    await one.log.register.heartbeat({ incarnation: one.incarnation });
    const report = await pass();
    expect(report.recorded).toEqual([]);
    for (const orphan of [commit, abort]) {
      expect(report.orphans).toContainEqual(
        expect.objectContaining({ gid: orphan.gid, kind: 'prepared-forgotten' }),
      );
      expect(await one.settler.finish(orphan)).toEqual({ kind: 'forgotten' });
    }
    expect(await one.settler.force(commit, 'commit')).toMatchObject({
      kind: 'finished',
      outcome: { kind: 'committed' },
    });
    expect(await one.settler.force(abort, 'abort')).toMatchObject({
      kind: 'finished',
      outcome: { kind: 'aborted' },
    });
    // The opposite, afterwards, changes nothing and says so.
    expect(await one.settler.force(commit, 'abort')).toMatchObject({
      outcome: { kind: 'heuristic', evidence: { found: 'committed' } },
    });
    for (const { transaction } of [row, commit, abort]) {
      expect(await stage.decisionOf(transaction)).toBeUndefined();
    }
    expect((await pass()).orphans.map((it) => it.kind)).not.toContain('prepared-forgotten');
  });
});

untoldCommits(() => ({ stage, one }), WEST);

describe('a database copied from another cluster', () => {
  it('is not taken for damage: nothing is recorded, and it is said why', async () => {
    const strange = Array.from({ length: 600 }, () =>
      makeTransactionId(Date.now(), randomBytes(10), 'strange1' as Coordinator['incarnation']),
    );
    await stage.sql(
      WEST,
      `INSERT INTO concordat_branch (transaction, branch, participant, kind)
       SELECT id, 1, $2, 'branch' FROM unnest($1::text[]) AS made(id)`,
      [strange, WEST],
    );
    const before = await stage.heuristics();
    const report = await pass();
    const west = report.participants.find((it) => it.participant === WEST);
    expect(west).toMatchObject({ state: 'compared', upToDate: false });
    expect(west?.why).toMatch(/600 of \d+ branches .* nothing was recorded/);
    expect(await stage.heuristics()).toEqual(before);
    await stage.sql(WEST, 'DELETE FROM concordat_branch WHERE transaction = ANY ($1)', [strange]);
    expect((await pass()).participants.every((it) => it.upToDate)).toBe(true);
  });
});

// Nightly as many as a participant keeps of a busy week.
describe.each([isNightly ? 200_000 : 30_000])('%i outcome rows', (ROWS) => {
  const PAGE = 5_000;
  const PAGES = isNightly ? 10 : 2;

  it('are compared in passes of bounded work, and later passes read only what is new', async () => {
    const two = await stage.coordinator({ pagesMax: PAGES });
    await stage.sql('register', 'DELETE FROM concordat.reconciliation');
    const now = Date.now();
    const ids = Array.from({ length: ROWS }, (_, n) =>
      makeTransactionId(now - HOUR + n, randomBytes(10), one.incarnation),
    );
    await stage.sql(
      EAST,
      `INSERT INTO concordat_branch (transaction, branch, participant, kind)
       SELECT id, 1, $2, 'branch' FROM unnest($1::text[]) AS made(id)`,
      [ids, EAST],
    );
    const [torn, ...decided] = ids;
    await stage.sql(
      'register',
      `INSERT INTO concordat.decision
         (transaction, decision, finisher, branches, ended_at, outcome)
       SELECT id, 'commit', $2, $3, now(), 'committed' FROM unnest($1::text[]) AS made(id)`,
      [
        decided,
        one.incarnation,
        JSON.stringify([{ branch: FIRST, participant: EAST, work: 'bundled' }]),
      ],
    );
    const passes: { rows: number; ms: number }[] = [];
    const recorded: unknown[] = [];
    let upToDate = false;
    while (!upToDate) {
      const report = await pass(two);
      const east = report.participants.find((it) => it.participant === EAST);
      passes.push({ rows: east?.rows ?? 0, ms: report.durationMs ?? 0 });
      recorded.push(...report.recorded);
      upToDate = east?.upToDate ?? true;
    }
    expect(recorded).toEqual([{ transaction: torn, branch: FIRST, participant: EAST }]);
    expect(passes.length).toBeGreaterThanOrEqual(ROWS / (PAGES * PAGE));
    for (const { rows } of passes) expect(rows).toBeLessThanOrEqual(PAGES * PAGE);
    const next = await pass(two);
    expect(next.participants.find((it) => it.participant === EAST)?.rows).toBeLessThan(PAGE);
    // Seconds for fifty thousand rows would do; a plan without the primary keys takes minutes.
    expect(Math.max(...passes.map((it) => it.ms))).toBeLessThan(30_000);
  }, 180_000);
});
