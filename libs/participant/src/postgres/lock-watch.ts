/**
 * Ends waits for locks while there is still time to vote. Guards "a branch that waits for a lock says
 * so before its time is over": lock_timeout counts from the moment a wait begins, so it comes too late
 * for every wait but the first, and the server names a holder only while somebody waits for it. So
 * shortly before a branch's time is over its wait is looked at, from another connection, and then ended.
 *
 * One look at a time for all branches of an instance, bounded: at most one of the connections that
 * carry out decisions is busy with it. A look that fails changes nothing: lock_timeout, and at last the
 * deadline, end the wait without it.
 *
 * Signals: pg_cancel_backend reaches whatever the session does when it arrives. It is sent only before
 * PREPARE, while the server sees the session wait for a lock, and a session that was signalled without
 * an answer is not used again (`signalled`), so it can never reach a later borrower of its connection.
 * A crash between the look and the signal leaves a session that dies with this process.
 */
import { voteMarginMs, type Clock } from '@concordat/engine';
import type { Pool, PoolClient } from 'pg';
import { conflict } from '../inspection/blocking.js';
import { readNameOfSession } from './branch.sql.js';
import type { PostgresSession } from './branch-session.js';
import { BEGIN_LOOKING_AT_WAITS, END_WAITS, WAITS_OF } from './lock-wait.sql.js';
import type { LockHolder, LockWait } from './lock-wait.js';
import { SqlState, sqlErrorOf } from './sqlstate.js';
import { noteCircumstances } from './votes-of-errors.js';

/** How often within its last moments a session is looked at. */
const LOOKS = 4;
/** Values as the server sends them: a service may have changed the driver's parsers. */
const AS_SENT = { getTypeParser: () => (value: string) => value };

interface Watched {
  readonly session: PostgresSession;
  readonly marginMs: number;
  cancel: () => void;
  /** What the session was seen to wait for when its wait was ended. */
  wait?: LockWait;
}

interface SeenWait {
  readonly pid: number;
  readonly kind: string;
  readonly relation: string | null;
  readonly page: number | null;
  readonly tuple: number | null;
  readonly holders: readonly SeenHolder[];
}

interface SeenHolder {
  readonly wanted: string;
  readonly mode: string;
  readonly pid: number | null;
  readonly gid: string | null;
  readonly application: string | null;
}

export class LockWatch {
  private readonly watched = new Map<number, Watched>();
  private readonly due = new Set<Watched>();
  private looking = false;

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  /** Looks after a session until it is given back; `timeLeftMs` is what it has now. */
  watch(session: PostgresSession, timeLeftMs: number): void {
    const marginMs = voteMarginMs(timeLeftMs);
    const one: Watched = { session, marginMs, cancel: () => undefined };
    this.watched.set(session.backend, one);
    session.onFailed = (error) => this.failed(one, error);
    session.onReleased(() => {
      one.cancel();
      if (this.watched.get(session.backend) === one) this.watched.delete(session.backend);
    });
    this.wakeLater(one, timeLeftMs - marginMs);
  }

  private wakeLater(one: Watched, ms: number): void {
    one.cancel = this.clock.after(ms, () => {
      const { session, marginMs } = one;
      if (!session.isSealed && session.inFlight > 0) this.look(one);
      // A wait may begin after this: look again, as long as an answer can come in time.
      const timeLeftMs = session.deadlineAt - this.clock.now();
      if (!session.isSealed && timeLeftMs > marginMs / 2) this.wakeLater(one, marginMs / LOOKS);
    });
  }

  private look(one: Watched): void {
    this.due.add(one);
    if (this.looking) return;
    this.looking = true;
    void this.lookWhileDue().finally(() => (this.looking = false));
  }

  private async lookWhileDue(): Promise<void> {
    while (this.due.size > 0) await this.lookAtDue().catch(() => this.due.clear());
  }

  private async lookAtDue(): Promise<void> {
    const client = await this.pool.connect();
    const ignore = (): void => undefined; // The statement under way is rejected with the same error.
    client.on('error', ignore);
    let clean = false;
    try {
      await client.query(BEGIN_LOOKING_AT_WAITS);
      // Those that became due while a connection was waited for are looked at too.
      const asked = [...this.due].filter(({ session }) => !session.isSealed);
      this.due.clear();
      await this.endWaits(client, asked);
      await client.query('COMMIT');
      clean = true;
    } finally {
      client.removeListener('error', ignore);
      client.release(!clean); // Its block may still be open.
    }
  }

  private async endWaits(client: PoolClient, asked: readonly Watched[]): Promise<void> {
    for (const seen of await this.waitsOf(client, asked)) {
      const one = asked.find(({ session }) => session.backend === seen.pid);
      if (!one || one.session.isSealed || one.session.signalled) continue;
      one.wait = this.waitOf(seen);
    }
    const waiting = asked.filter((one) => one.wait !== undefined);
    if (waiting.length === 0) return;
    const told = client.query<{ pid: string }>({
      text: END_WAITS,
      values: [waiting.map(({ session }) => session.backend)],
      types: AS_SENT,
    });
    // Known before the signal goes: its answer may come before ours.
    for (const { session } of waiting) session.signalAsked(told);
    const ended = await told;
    const pids = new Set(ended.rows.map(({ pid }) => Number(pid)));
    for (const one of waiting) {
      if (pids.has(one.session.backend)) continue;
      one.wait = undefined; // It got its lock meanwhile, and no signal.
      one.session.signalMissed();
    }
  }

  private async waitsOf(client: PoolClient, asked: readonly Watched[]): Promise<SeenWait[]> {
    const { rows } = await client.query<{ waits: string }>({
      text: WAITS_OF,
      values: [asked.map(({ session }) => session.backend)],
      types: AS_SENT,
    });
    return JSON.parse(rows[0]?.waits ?? '[]') as SeenWait[];
  }

  private waitOf({ kind, relation, page, tuple, holders }: SeenWait): LockWait {
    const holder = this.holderOf(holders);
    return {
      kind,
      ...(relation === null ? {} : { relation }),
      ...(page === null || tuple === null ? {} : { row: `(${page},${tuple})` }),
      ...(holder ? { holder } : {}),
    };
  }

  private holderOf(holders: readonly SeenHolder[]): LockHolder | undefined {
    const holder = holders.find(({ wanted, mode }) => conflict(wanted, mode));
    if (!holder) return undefined;
    const { pid, application } = holder;
    if (pid === null) return holder.gid === null ? undefined : { gid: holder.gid };
    return { pid, ...readNameOfSession(application ?? '') };
  }

  private failed(one: Watched, error: unknown): void {
    const { session, marginMs } = one;
    const early = session.deadlineAt - this.clock.now() > marginMs;
    const code = sqlErrorOf(error)?.code;
    const isWaitOver = code === SqlState.cancelled || code === SqlState.lockNotAvailable;
    noteCircumstances(error, { early, ...(isWaitOver && one.wait ? { wait: one.wait } : {}) });
    if (isWaitOver) one.wait = undefined;
    if (code === SqlState.cancelled) session.signalled = false;
  }
}
