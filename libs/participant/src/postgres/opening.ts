/**
 * The BEGIN of a branch that travels with its first statement. Guards "no statement of a branch runs
 * outside of its transaction": BEGIN goes in front of the statement in the same write and without a Sync of
 * its own, so the server skips the statement where BEGIN fails; and the connection ends at once with it, so
 * that nothing that is queued behind is sent either.
 *
 * The driver is not asked for BEGIN. It writes a statement by `parse` and `bind`, and passes each message of
 * the server on by `emit`: what leads the statement is written at the first of these, and its answers are
 * taken out before the driver sees them. All of it leaves in one buffer. Where the driver writes no message
 * of that kind (a text without values, a query object), BEGIN is a query before it. Where it does not write
 * at all, the connection ends.
 */
import type { BranchKey } from '@concordat/engine';
import type { PoolClient } from 'pg';
import { PostgresSession } from './branch-session.js';
import { expectTransaction } from './driver.js';
import { fly, leadOf, type FlightOptions, type FlightRow, type FlightStep } from './flight.js';
import { begunOf, type SessionState, type Settings } from './session-state.js';

/** What a connection is to be begun with, and the callbacks for the result. */
export interface OpeningOptions extends FlightOptions {
  /** The statements of BEGIN, when they leave. */
  readonly steps: () => readonly FlightStep[];
  /** Called with their answers. Returns what is wrong with them, if something is. */
  readonly opened: (rows: readonly FlightRow[][]) => Error | undefined;
  /** Called with why the transaction has not begun. The connection has ended. */
  readonly failed: (error: Error) => void;
}

/** The parts of pg's client and connection that this works through; the same since pg 8.2. */
interface Wired {
  readonly processID: number;
  readonly pipeline?: boolean;
  readonly readyForQuery?: boolean;
  readonly _queryQueue?: readonly unknown[];
  readonly queryQueue?: readonly unknown[];
  readonly connection: Connection;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

interface Connection {
  readonly stream: { write: Method; destroy(): unknown };
  parse: Method;
  bind: Method;
  emit: (this: unknown, event: string, message?: unknown) => boolean;
}

/** The driver did not write a statement when it was asked to. */
export class NotLed extends Error {
  override readonly name = 'NotLed';
}

/** What precedes the next statement of a connection, and the answers expected for it. */
interface Lead {
  readonly bytes: Uint8Array;
  readonly rows: FlightRow[][];
  readonly steps: readonly FlightStep[];
  readonly options: OpeningOptions;
  current: FlightRow[];
  written: boolean;
}

const leads = new WeakMap<object, Led>();

/** Whether a driver is of the kind that this works through. */
export function canBeginLater(client: PoolClient): boolean {
  const { processID, connection, pipeline } = client as unknown as Partial<Wired>;
  const methods = [connection?.parse, connection?.bind, connection?.emit];
  return (
    typeof processID === 'number' && !pipeline && methods.every((one) => typeof one === 'function')
  );
}

/** What a session that begins later is made of. */
export interface LaterOptions extends FlightOptions, Pick<OpeningOptions, 'steps'> {
  readonly deadlineAt: number;
  /** What the service gave this connection. */
  readonly settings: Settings;
  /** Called with why its transaction has not begun. Its connection has ended. */
  readonly failed: (session: PostgresSession, error: Error) => void;
}

/**
 * A session on a connection of which everything is known that BEGIN would be asked for: there is no pooler in
 * between, and no other code has borrowed it since a branch last began on it.
 */
export function willBegin(
  branch: BranchKey,
  client: PoolClient,
  { named, steps, deadlineAt, settings, failed }: LaterOptions,
): PostgresSession {
  const backend = (client as unknown as Wired).processID;
  let before: SessionState = { role: 'none', login: '', settings };
  const opened = (rows: readonly FlightRow[][]): Error | undefined => {
    const begun = begunOf(rows);
    if (begun?.backend !== backend) return new Error('BEGIN was answered by another session');
    before = { role: begun.role, login: begun.login, settings };
    return undefined;
  };
  return new PostgresSession(branch, client, {
    backend,
    deadlineAt,
    before: () => before,
    opening: (session, what) =>
      openWith(client, { named, steps, opened, failed: (error) => failed(session, error) }, what),
  });
}

/**
 * Begins the transaction with what `send` sends. `rides`: the driver will write it by `parse` and `bind`,
 * as it does with every statement that has values.
 */
export function openWith<T>(
  client: PoolClient,
  options: OpeningOptions,
  { send, rides }: { readonly send: () => T; readonly rides: boolean },
): T {
  const wired = client as unknown as Wired;
  expectTransaction(client);
  if (rides && isIdle(wired)) return ledBy(wired.connection).lead(client, options, send);
  begin(client, options);
  return send();
}

/** Nothing is under way or queued: what is sent now is written now. */
function isIdle(wired: Wired): boolean {
  const queue = wired._queryQueue ?? wired.queryQueue;
  return wired.readyForQuery === true && queue?.length === 0;
}

/** BEGIN as a query of its own. What is queued behind it is not sent if it fails. */
function begin(client: PoolClient, options: OpeningOptions): void {
  const { stream } = (client as unknown as Wired).connection;
  const { named, opened, failed } = options;
  const hear = (error: Error | undefined, rows: FlightRow[][]): void => {
    const wrong = error ?? opened(rows);
    if (!wrong) return;
    stream.destroy();
    failed(wrong);
  };
  fly(client, options.steps(), { named, hear }).catch(() => undefined); // `hear` has it.
}

function ledBy(connection: Connection): Led {
  let led = leads.get(connection);
  if (!led) leads.set(connection, (led = new Led(connection)));
  return led;
}

/** A connection whose statements can be led. Its methods are replaced once: most of the time they only pass on. */
class Led {
  private waiting: Lead | undefined;
  private heard: Lead | undefined;
  /** What is written while a statement is sent, for one write at the end of it. */
  private gathered: Uint8Array[] | undefined;
  private readonly writeOut: (...args: unknown[]) => unknown;

  constructor(private readonly connection: Connection) {
    const { parse, bind, emit, stream } = connection;
    const { write: written } = stream;
    this.writeOut = (...args) => written.apply(stream, args);
    stream.write = (...args) => {
      if (!this.gathered) return this.writeOut(...args);
      const [bytes] = args;
      if (args.length === 1 && bytes instanceof Uint8Array) return this.gathered.push(bytes) > 0;
      this.flush();
      return this.writeOut(...args);
    };
    const write = (): void => this.write();
    const isOurs = (event: string, message: unknown): boolean => this.isOurs(event, message);
    const hears = (): boolean => this.heard !== undefined;
    connection.parse = function (...args) {
      write();
      return parse.apply(this, args);
    };
    connection.bind = function (...args) {
      write();
      return bind.apply(this, args);
    };
    connection.emit = function (event, message) {
      return hears() && isOurs(event, message) ? true : emit.call(this, event, message);
    };
  }

  lead<T>(client: PoolClient, options: OpeningOptions, send: () => T): T {
    const steps = options.steps();
    const bytes = leadOf(client, steps, options);
    const lead: Lead = { bytes, rows: [], steps, options, current: [], written: false };
    this.waiting = lead;
    this.gathered = [];
    try {
      return send();
    } finally {
      this.flush();
      this.gathered = undefined;
      this.waiting = undefined;
      // The driver refused it, or keeps it for later: it must not be sent without a BEGIN.
      if (!lead.written) this.end(lead, new NotLed('the driver did not send the statement'));
    }
  }

  private flush(): void {
    if (!this.gathered?.length) return;
    this.writeOut(Buffer.concat(this.gathered));
    this.gathered = [];
  }

  private write(): void {
    const { waiting } = this;
    if (!waiting) return;
    this.waiting = undefined;
    this.heard = waiting;
    waiting.written = true;
    this.connection.stream.write(waiting.bytes);
  }

  private isOurs(event: string, message: unknown): boolean {
    const lead = this.heard;
    if (!lead) return false;
    switch (event) {
      case 'parseComplete':
      case 'bindComplete':
        return true;
      case 'dataRow':
        lead.current.push(rowOf(lead, message));
        return true;
      case 'commandComplete':
        this.completed(lead);
        return true;
      case 'errorMessage':
        // The driver is notified as well: for it, the statement behind has failed.
        this.end(lead, message as Error);
        return false;
      default:
        return false; // Notices, parameters that changed, the end.
    }
  }

  private completed(lead: Lead): void {
    lead.rows.push(lead.current);
    lead.current = [];
    if (lead.rows.length < lead.steps.length) return;
    this.heard = undefined;
    const wrong = lead.options.opened(lead.rows);
    if (wrong) this.end(lead, wrong);
  }

  private end(lead: Lead, error: Error): void {
    this.heard = undefined;
    this.connection.stream.destroy();
    lead.options.failed(error);
  }
}

function rowOf({ rows, steps }: Lead, message: unknown): FlightRow {
  const { fields } = message as { readonly fields: readonly (string | null)[] };
  const row: Record<string, string | null> = {};
  let at = 0;
  for (const column of steps[rows.length]?.columns ?? []) row[column] = fields[at++] ?? null;
  return row;
}
