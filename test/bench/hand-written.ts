/**
 * The yardstick: two-phase commit as one would write it by hand over `pg`, in one process, with the
 * same statements, an outcome row, a forced decision and the same durability as the product. It has
 * no recovery, no deadline, no messages and no second process, so it is a floor, not a rival.
 */
import pg from 'pg';
import { accountOf, type Stage } from './stage.js';

export class HandWritten {
  private sequence = 0;

  private constructor(
    private readonly east: pg.Pool,
    private readonly west: pg.Pool,
    private readonly decisions: pg.Pool,
  ) {}

  static async open({ stack }: Stage, clients: number): Promise<HandWritten> {
    const pool = (connectionString: string) => new pg.Pool({ connectionString, max: clients });
    const { ledger_east: east, ledger_west: west, concordat } = stack.databases;
    const made = new HandWritten(pool(east), pool(west), pool(concordat));
    const outcome = `CREATE TABLE IF NOT EXISTS hand_outcome (gid text PRIMARY KEY)`;
    await Promise.all([made.east.query(outcome), made.west.query(outcome)]);
    await made.decisions.query(
      `CREATE TABLE IF NOT EXISTS hand_decision (gid text PRIMARY KEY, decision text NOT NULL)`,
    );
    return made;
  }

  async close(): Promise<void> {
    await Promise.all([this.east.end(), this.west.end(), this.decisions.end()]);
  }

  /** One transfer, finished in both databases when it resolves. */
  async transfer(client: number): Promise<void> {
    const gid = `hand:${process.pid}:${Date.now()}:${this.sequence++}`;
    const account = accountOf(client);
    await Promise.all([
      this.prepare(this.east, gid, `${gid}:1`, account, -100),
      this.prepare(this.west, gid, `${gid}:2`, account, 100),
    ]);
    await this.decisions.query({
      name: 'decide',
      text: `INSERT INTO hand_decision (gid, decision) VALUES ($1, 'commit') ON CONFLICT DO NOTHING`,
      values: [gid],
    });
    await Promise.all([
      this.east.query(`COMMIT PREPARED '${gid}:1'`),
      this.west.query(`COMMIT PREPARED '${gid}:2'`),
    ]);
  }

  private async prepare(
    pool: pg.Pool,
    gid: string,
    branch: string,
    account: string,
    delta: number,
  ): Promise<void> {
    const client = await pool.connect();
    try {
      await client.query(
        'BEGIN; SET LOCAL lock_timeout = 10000; SET LOCAL statement_timeout = 10000',
      );
      await client.query({
        name: 'move',
        text: `UPDATE account SET balance = balance + $2 WHERE id = $1 AND balance + $2 >= 0 RETURNING balance`,
        values: [account, delta],
      });
      await client.query({
        name: 'outcome',
        text: `INSERT INTO hand_outcome SELECT $1 WHERE pg_current_xact_id_if_assigned() IS NOT NULL`,
        values: [gid],
      });
      const { command } = await client.query(`PREPARE TRANSACTION '${branch}'`);
      if (command !== 'PREPARE') throw new Error(`PREPARE answered ${command}`);
      client.release();
    } catch (error) {
      client.release(error as Error);
      throw error;
    }
  }
}
