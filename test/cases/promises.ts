/**
 * What has to be so after every case, whatever failed in it: each transaction is decided once, all its branches
 * agree with the decision, nothing is left prepared or open, inspection and list tell the same, money is neither
 * made nor lost, and what its client was answered is what happened.
 */
import { waitFor } from '@concordat/testing';
import { decidedAt, type TransactionId } from '@concordat/protocol';
import type { Json } from '../stage/product.js';
import type { Case, CaseRun } from './case.js';
import { AMOUNT, isAlone } from './shapes.js';
import type { Answer, CaseStage, Kept } from './stage.js';

/** The same in words, for the pages of cases. */
export const PROMISES = `Afterwards, in every case: each transaction is decided once, and every branch agrees with its decision; nothing is
prepared, no database transaction of a participant is open, and no commit is without its end; inspection and the list say
the same as the databases; no money is made or lost; and what the client was answered is what happened.`;

type Decision = 'commit' | 'abort';

interface Listed {
  readonly transactionId: string;
  readonly decision?: Decision;
}

/** Longest: a participant's inquiry after its grace, and processes that start on a busy machine. */
const SETTLED_MS = 45_000;

/** Waits until everything is settled, and demands the promises. Throws where one is broken. */
export async function holdToPromises(run: CaseRun): Promise<void> {
  const { stage, row, before } = run;
  const now = await stage.kept();
  const found = stage.since(before, now);
  const isHeuristic = row.ends === 'heuristic';
  if (!isHeuristic) expect(contradictions(found)).toEqual([]);
  const told = toldBy(run.told);
  expectHeard(run, told);
  if (isHeuristic) return expectHeuristic(run);

  const decisions = decisionsOf(found);
  const id = run.told?.body['transactionId'];
  if (id !== undefined) {
    const happened = decisions.get(String(id)) ?? 'abort';
    if (told !== undefined) expect({ told, happened }).toEqual({ told, happened: told });
    if (row.ends !== 'either') expect(happened).toBe(row.ends);
  } else {
    // Told nothing that names it: it is what the other transactions of the case have left.
    expect(endsIn(row.ends)).toContain(now.bob - before.bob - run.movedByOthers);
  }
  expectMoney(run, now, decisions);
  await expectRemembered(run);
  for (const [transaction, decision] of decisions) {
    const isRecorded = found.decisions.some((one) => one.transaction === transaction);
    await expectInspection(stage, { transaction, decision, isRecorded });
  }
  await expectList(stage, decisions);
}

export function untilSettled({ stage }: CaseRun): Promise<void> {
  return stage.untilNothingOpen(SETTLED_MS);
}

/** What of two databases or more cannot be true together: a sentence each. */
export function contradictions({ decisions, rows }: Omit<Kept, 'alice' | 'bob'>): string[] {
  const branches = rows.filter((row) => row.kind === 'branch');
  const has = (transaction: string, participant: string): boolean =>
    branches.some((row) => row.transaction === transaction && row.participant === participant);
  const torn = decisions
    .filter((one) => one.decision === 'commit')
    .flatMap(({ transaction, participants }) =>
      participants
        .filter((participant) => !has(transaction, participant))
        .map((participant) => `${transaction} is a commit, and ${participant} has nothing of it`),
    );
  const against = branches
    .filter(({ transaction, participant }) => !isDueAt(transaction, participant, decisions))
    .map(
      ({ transaction, participant }) =>
        `${participant} has committed ${transaction} by no decision`,
    );
  const twice = decisions
    .filter((one, at) => decisions.findIndex((o) => o.transaction === one.transaction) !== at)
    .map(({ transaction }) => `${transaction} is decided twice`);
  const open = decisions
    .filter(({ decision, hasEnded }) => decision === 'commit' && !hasEnded)
    .map(({ transaction }) => `${transaction} is a commit without its end`);
  return [...torn, ...against, ...twice, ...open];
}

/** Whether a branch may have committed there: by the decision on record, or as the only one, by its own. */
function isDueAt(transaction: string, participant: string, decisions: Kept['decisions']): boolean {
  const record = decisions.find((one) => one.transaction === transaction);
  if (decidedAt(transaction as TransactionId) === participant) return record?.decision !== 'abort';
  return record?.decision === 'commit' && record.participants.includes(participant);
}

/** How each transaction was decided; without a record and without a branch that has committed, aborted. */
function decisionsOf({ decisions, rows }: Kept): Map<string, Decision> {
  const found = new Map<string, Decision>();
  for (const { transaction, kind } of rows) {
    const isCommit = kind === 'branch' || found.get(transaction) === 'commit';
    found.set(transaction, isCommit ? 'commit' : 'abort');
  }
  for (const { transaction, decision } of decisions) found.set(transaction, decision);
  return found;
}

/** What an answer says became of its transaction; undefined where it leaves that open. */
function toldBy(answer: Answer | undefined): Decision | undefined {
  const said = answer?.body['decision'] as unknown;
  if (said === 'commit' || said === 'abort') return said;
  if (answer?.status === 200) return 'commit';
  return answer?.status === 409 ? 'abort' : undefined;
}

function expectHeard({ row, told: answer }: CaseRun, told: Decision | undefined): void {
  if (row.hears === 'nothing' && row.sends !== 'step-by-step') expect(answer).toBeUndefined();
  if (row.hears === 'commit') expect(answer).toMatchObject({ status: 200 });
  if (row.hears === 'abort') expect(answer).toMatchObject({ status: 409 });
  if (row.hears === 'commit' || row.hears === 'abort') expect(told).toBe(row.hears);
  if (row.answer) expect(answer?.body).toMatchObject(row.answer);
}

/** What has moved is what was committed, no more and no less, and from nowhere else. */
function expectMoney(run: CaseRun, now: Kept, decisions: ReadonlyMap<string, Decision>): void {
  const { row, before } = run;
  const commits = [...decisions.values()].filter((one) => one === 'commit').length;
  const moved = now.bob - before.bob;
  const gone = before.alice - now.alice;
  const due = AMOUNT * commits;
  expect({ moved, gone }).toEqual({ moved: due, gone: isAlone(row.sends) ? 0 : due });
}

/** What the transaction of a case may have moved. */
function endsIn(ends: Case['ends']): number[] {
  if (ends === 'commit') return [AMOUNT];
  return ends === 'abort' ? [0] : [0, AMOUNT];
}

async function expectRemembered({ stage, row, before }: CaseRun): Promise<void> {
  const { onRecord, remembers = {} } = row;
  if (onRecord === undefined && row.remembers === undefined) return;
  const look = async () => {
    const { decisions, rows } = stage.since(before, await stage.kept());
    const at = Object.fromEntries(
      Object.keys(remembers).map((participant) => [
        participant,
        rows.find((one) => one.participant === participant)?.kind ?? 'nothing',
      ]),
    );
    return { onRecord: onRecord && decisions[0]?.decision, remembers: at };
  };
  const due = { onRecord, remembers };
  // A tombstone follows the rollback.
  await waitFor(async () => isSame(await look(), due), { what: JSON.stringify(due) }).catch(
    async () => expect(await look()).toEqual(due),
  );
}

const isSame = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

const ENDED: Readonly<Record<Decision, string>> = { commit: 'committed', abort: 'aborted' };

/** What is asked for by its id: how it was decided, and that it has ended so everywhere. */
async function expectInspection(
  { product }: CaseStage,
  asked: { transaction: string; decision: Decision; isRecorded: boolean },
): Promise<void> {
  const { transaction, decision, isRecorded } = asked;
  const path = `/v1/transactions/${transaction}?wait=10s&until=completed`;
  let last: unknown;
  const body = await waitFor(
    async () => {
      await product.startDead(); // What was thrown may end a process later than all was settled.
      const answer = await product.request('GET', path, { key: product.operatorKey });
      last = answer.body;
      // No record means abort: of what nothing is noted there is nothing to tell.
      if (answer.status === 404 && !isRecorded) return {} as Json;
      const isDecided = typeof answer.body['decision'] === 'string';
      const isOpposite = isDecided && String(answer.body['decision']) !== decision;
      return isOpposite || String(answer.body['status']) === ENDED[decision]
        ? answer.body
        : undefined;
    },
    { what: `${transaction} to be told as ${decision}`, timeoutMs: SETTLED_MS },
  ).catch((error: unknown) => {
    throw new Error(`inspection says ${JSON.stringify(last)}`, { cause: error });
  });
  if (decision === 'commit' || 'decision' in body) {
    const ended = ENDED[decision];
    expect(body).toMatchObject({ decision, status: ended, outcome: ended });
  }
}

/**
 * The list has every commit, and says of none anything else than what it is. What only the history has, as one
 * branch that committed by itself, is there once that is written.
 */
async function expectList(
  { product }: CaseStage,
  decisions: ReadonlyMap<string, Decision>,
): Promise<void> {
  const path = '/v1/transactions?limit=50';
  let said: ReadonlyMap<string, Decision | undefined> | undefined;
  const hasEveryCommit = async (): Promise<boolean> => {
    await product.startDead(); // As above: nothing else starts it where nothing was inspected.
    const { body } = await product.request('GET', path, { key: product.operatorKey });
    const listed = body['transactions'] as unknown as Listed[];
    const has = new Map(listed.map((one) => [one.transactionId, one.decision]));
    said = has;
    return [...decisions].every(([id, decision]) => decision === 'abort' || has.get(id));
  };
  // What is missing to the end is shown by the comparison.
  await waitFor(hasEveryCommit, { what: 'every commit to be listed' }).catch(() => undefined);
  if (!said) throw new Error('the list was never answered');
  const shown = said;
  const due = [...decisions].filter(([id, decision]) => decision === 'commit' || shown.get(id));
  expect(due.map(([id]) => [id, shown.get(id)])).toEqual(due);
}

async function expectHeuristic({ stage, id }: CaseRun): Promise<void> {
  const { product } = stage;
  const path = `/v1/transactions/${id}?wait=30s&until=completed`;
  const { body } = await product.request('GET', path, { key: product.operatorKey });
  expect(body).toMatchObject({ status: 'heuristic-mixed' });
}
