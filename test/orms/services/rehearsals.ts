/** What each ORM has to show: the same operations, in its own words. */
import type { OperationDefinition } from '@concordat/participant/standalone';
import { meet } from './meeting.js';

/** An ORM, or one of its transactions. */
export interface Scope {
  insert(sku: string, available: number): Promise<unknown>;
  /** By the primary key; undefined where there is no such row. */
  read(sku: string): Promise<number | undefined>;
  transaction(work: (inner: Scope) => Promise<void>): Promise<unknown>;
}

interface Input {
  readonly sku: string;
  readonly available?: number;
  /** The row of another branch, and how many meet. */
  readonly other?: string;
  readonly guests?: number;
}

const UNDO = new Error('undo this part');
const caught = (part: Promise<unknown>): Promise<string> =>
  part.then(
    () => 'done',
    (error: unknown) => (error === UNDO ? 'undone' : String(error)),
  );

const WORK = {
  insert: async ({ insert }: Scope, { sku, available = 1 }: Input) =>
    void (await insert(sku, available)),

  /** Lets the error of the database out. */
  twice: async ({ insert }: Scope, { sku }: Input) => {
    await insert(sku, 1);
    await insert(sku, 2);
  },

  /** A transaction that fails, and one in which another one fails. */
  parts: async ({ transaction, read }: Scope, { sku }: Input) => {
    const failed = await caught(
      transaction(async (inner) => {
        await inner.insert(`${sku}-undone`, 1);
        throw UNDO;
      }),
    );
    let nested = '';
    await transaction(async (outer) => {
      await outer.insert(`${sku}-kept`, 1);
      nested = await caught(
        outer.transaction(async (inner) => {
          await inner.insert(`${sku}-inner`, 1);
          throw UNDO;
        }),
      );
    });
    const rows = [
      await read(`${sku}-undone`),
      await read(`${sku}-kept`),
      await read(`${sku}-inner`),
    ];
    return { failed, nested, rows: rows.map((one) => one ?? null) };
  },

  /** Two transactions and a write at the same time; the first fails last. */
  concurrent: async ({ transaction, insert, read }: Scope, { sku }: Input) => {
    const first = transaction(async (inner) => {
      await inner.insert(`${sku}-a`, 1);
      await inner.read(`${sku}-a`);
      throw UNDO;
    });
    const second = transaction(async (inner) => void (await inner.insert(`${sku}-b`, 1)));
    const third = insert(`${sku}-c`, 1);
    const ends = [await caught(first), await caught(second), await caught(third)];
    const rows = [await read(`${sku}-a`), await read(`${sku}-b`), await read(`${sku}-c`)];
    return { ends, rows: rows.map((one) => one ?? null) };
  },

  /** Branches that read in the same tick: each sees its own row, and not the other's. */
  meet: async ({ insert, read }: Scope, { sku, other = '', guests = 2 }: Input) => {
    await insert(sku, 1);
    await meet(guests);
    const mine = await read(sku);
    await meet(guests);
    const theirs = await read(other);
    await meet(guests); // Neither commits before both have read.
    return { mine: mine ?? null, theirs: theirs ?? null };
  },
} as const;

/** The operations of an ORM. */
export function rehearsals(scope: Scope): OperationDefinition[] {
  return Object.entries(WORK).map(([name, work]) => ({
    name,
    run: async (input) => (await work(scope, input as Input)) ?? null,
  }));
}
