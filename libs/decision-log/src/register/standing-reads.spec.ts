/** Decisions are read together, each as fresh as if it were read alone. */
import type { StandingDecision } from '@concordat/engine';
import type { Incarnation, TransactionId } from '@concordat/protocol';
import { freshTransaction } from '../../../../test/conformance/decision-register.js';
import { READ_TOGETHER_MAX, StandingReads } from './standing-reads.js';

const standingOf = (transaction: TransactionId): StandingDecision => ({
  ...{ transaction, decision: 'commit', finisher: 'c00rdlv1' as Incarnation },
  ...{ branches: [], decidedAtMs: 1, heuristics: [] },
});

describe('standing decisions', () => {
  const statements: (readonly TransactionId[])[] = [];
  let onRecord: ReadonlySet<TransactionId>;
  const reads = new StandingReads((transactions) => {
    statements.push(transactions);
    return Promise.resolve(transactions.filter((one) => onRecord.has(one)).map(standingOf));
  });

  beforeEach(() => statements.splice(0));

  it('that are asked for in one turn of the loop are read in one statement, each once', async () => {
    const [known, unknown] = [freshTransaction(), freshTransaction()];
    onRecord = new Set([known]);
    const asked = [known, unknown, known].map((one) => reads.of(one));
    expect((await Promise.all(asked)).map((one) => one?.transaction)).toEqual([
      known,
      undefined,
      known,
    ]);
    expect(statements).toEqual([[known, unknown]]);
  });

  it('are never answered from a statement that was sent before they were asked for', async () => {
    const id = freshTransaction();
    onRecord = new Set();
    expect(await reads.of(id)).toBeUndefined();
    onRecord = new Set([id]);
    expect((await reads.of(id))?.transaction).toBe(id);
    expect(statements).toHaveLength(2);
  });

  it('are read in statements of a bounded size', async () => {
    const many = Array.from({ length: 2 * READ_TOGETHER_MAX + 1 }, freshTransaction);
    onRecord = new Set(many);
    const found = await Promise.all(many.map((one) => reads.of(one)));
    expect(found.map((one) => one?.transaction)).toEqual(many);
    expect(statements.map((one) => one.length)).toEqual([READ_TOGETHER_MAX, READ_TOGETHER_MAX, 1]);
  });

  it('are all unknown when their statement is', async () => {
    const failing = new StandingReads(() => Promise.reject(new Error('cut off')));
    const asked = [freshTransaction(), freshTransaction()].map((one) => failing.of(one));
    expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
    ]);
  });
});
