/**
 * The yardstick: two-phase commit written directly over `pg`, in one process, with the same
 * statements, time-outs, an outcome row of the same columns, a forced decision and the same durability as the
 * product; one round where one participant writes, no second round for a participant that only read. It has
 * no HTTP, no messages, no second process, no deadline, no history and no recovery, so it is a floor, not a rival.
 * A process of its own, see turns.ts.
 */
import pg from 'pg';
import { serveTurns, type Target, type Turn } from '../turns.js';
import { POOL } from './pool.js';
import { workOf, type Work } from './shapes.js';

type Vote = 'prepared' | 'read-only' | 'no';

const STATEMENTS: Readonly<Record<string, string>> = {
  debit: `UPDATE account SET balance = balance - $2 WHERE id = $1 AND balance >= $2 RETURNING balance`,
  credit: `UPDATE account SET balance = balance + $2 WHERE id = $1 AND balance <= 9007199254740991 - $2 RETURNING balance`,
  balance: `SELECT id, balance FROM account WHERE id = $1`,
  reserve: `UPDATE stock SET available = available - $2, reserved = reserved + $2 WHERE sku = $1 AND available >= $2 RETURNING available, reserved`,
  release: `UPDATE stock SET available = available + $2, reserved = reserved - $2 WHERE sku = $1 AND reserved >= $2 RETURNING available, reserved`,
  level: `SELECT available, reserved FROM stock WHERE sku = $1`,
};

const OPEN =
  'BEGIN; SET LOCAL lock_timeout = 10000; SET LOCAL statement_timeout = 10000; ' +
  'SET LOCAL idle_in_transaction_session_timeout = 10000';

const OUTCOME = {
  name: 'outcome',
  text: `INSERT INTO hand_outcome (transaction, branch, participant, kind)
         SELECT $1, $2, $3, 'branch' WHERE pg_current_xact_id_if_assigned() IS NOT NULL`,
};

const DECIDE = {
  name: 'decide',
  text: `INSERT INTO hand_decision (transaction, decision, participants) VALUES ($1, 'commit', $2)
         ON CONFLICT DO NOTHING RETURNING decision`,
};

/** A branch that is open in a session. */
interface Open {
  readonly session: pg.PoolClient;
  readonly gid: string;
  readonly refused: boolean;
  readonly wrote: boolean;
}

const pools = new Map<string, pg.Pool>();

function poolOf(connectionString: string): pg.Pool {
  const kept = pools.get(connectionString);
  if (kept) return kept;
  const made = new pg.Pool({ connectionString, max: POOL, idleTimeoutMillis: 0 });
  // The server is ended before this process is.
  made.on('error', () => undefined);
  pools.set(connectionString, made);
  return made;
}

class ByHand {
  private sequence = 0;

  constructor(private readonly target: Target & { kind: 'hand' }) {}

  /** One transaction, finished in every database when it resolves. */
  async run(turn: Turn, client: number): Promise<void> {
    const transaction = `hand-${process.pid}-${Date.now()}-${this.sequence++}`;
    const work = workOf(turn, client);
    const alone = work.length === 1;
    const open = (one: Work, index: number) => this.open(one, `${transaction}:${index + 1}`);
    const branches = turn.shape === 'interactive' ? await inTurn(work, open) : undefined;
    const votes = await Promise.all(
      work.map(async (one, index) => {
        const branch = branches?.[index] ?? (await open(one, index));
        return this.vote(branch, [transaction, index + 1, one.participant], alone);
      }),
    );
    const commits = !votes.includes('no');
    if (commits === (turn.shape === 'refused')) throw new Error(`votes were ${votes.join(', ')}`);
    if (alone) return;
    const prepared = work.filter((_, index) => votes[index] === 'prepared');
    if (commits && prepared.length > 0) await this.decide(transaction, prepared);
    const finish = commits ? 'COMMIT' : 'ROLLBACK';
    await Promise.all(
      work.map(async ({ participant }, index) => {
        if (votes[index] !== 'prepared') return;
        await this.pool(participant).query(`${finish} PREPARED '${transaction}:${index + 1}'`);
      }),
    );
  }

  private pool(participant: string): pg.Pool {
    return poolOf(this.target.databases[participant] ?? '');
  }

  private async open({ participant, name, input }: Work, gid: string): Promise<Open> {
    const session = await this.pool(participant).connect();
    try {
      await session.query(OPEN);
      const text = STATEMENTS[name] ?? '';
      const { rowCount } = await session.query({ name, text, values: Object.values(input) });
      return { session, gid, refused: rowCount === 0, wrote: text.startsWith('UPDATE') };
    } catch (error) {
      session.release(error as Error);
      throw error;
    }
  }

  private async vote(
    { session, gid, refused, wrote }: Open,
    outcome: readonly [string, number, string],
    alone: boolean,
  ): Promise<Vote> {
    try {
      if (refused) await session.query('ROLLBACK');
      else if (!wrote) await session.query('COMMIT');
      else {
        await session.query({ ...OUTCOME, values: [...outcome] });
        const last = alone ? 'COMMIT' : 'PREPARE';
        const { command } = await session.query(alone ? 'COMMIT' : `PREPARE TRANSACTION '${gid}'`);
        if (command !== last) throw new Error(`${last} answered ${command}`);
      }
      session.release();
      return refused ? 'no' : wrote ? 'prepared' : 'read-only';
    } catch (error) {
      session.release(error as Error);
      throw error;
    }
  }

  private async decide(transaction: string, prepared: readonly Work[]): Promise<void> {
    const names = prepared.map((one) => one.participant);
    const { rowCount } = await poolOf(this.target.decisions).query({
      ...DECIDE,
      values: [transaction, JSON.stringify(names)],
    });
    if (rowCount !== 1) throw new Error('the decision was not this one');
  }
}

async function inTurn<T, R>(all: readonly T[], one: (it: T, index: number) => Promise<R>) {
  const results: R[] = [];
  for (const [index, it] of all.entries()) results.push(await one(it, index));
  return results;
}

serveTurns((turn) => {
  if (turn.target.kind !== 'hand') return Promise.reject(new Error('this is not over HTTP'));
  const byHand = new ByHand(turn.target);
  return Promise.resolve((client) => byHand.run(turn, client));
});
