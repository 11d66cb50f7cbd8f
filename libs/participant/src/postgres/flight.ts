/**
 * Several statements in one message to the server: bound, executed and answered together, so that what
 * a branch needs besides its vote costs no round trip of its own. Guards "a certain no is certain": an
 * error names the step it came from, and the steps behind it have not run.
 *
 * It speaks the extended query protocol (Postgres manual, "Pipelining" in protocol flow) through the
 * `Submittable` that pg offers for this, as pg-cursor does. A driver in pipeline mode takes none; it
 * gets the steps as ordinary queries, which it sends in one go by itself.
 */
import { createHash } from 'node:crypto';
import type { PoolClient, Submittable } from 'pg';
import { ask } from './own-types.js';
import { WireMessages } from './wire-messages.js';

/** A statement that flies. The server is not asked for its columns: they are known here. */
export interface FlightStatement {
  readonly text: string;
  /** The columns of its rows, in their order; none where it answers no rows. */
  readonly columns?: readonly string[];
  /** Whether its text varies, so that no connection is to keep it. */
  readonly varies?: boolean;
  /** Whether its command tag is wanted: it answers one row then, with the first word of it as `tag`. */
  readonly tag?: boolean;
}

/** One statement of a flight with its values, which are text, as the protocol carries them. */
export interface FlightStep extends FlightStatement {
  readonly values?: readonly (string | null)[];
}

/** A row as the server wrote it: text by column, without any type parser. */
export type FlightRow = Readonly<Record<string, string | null>>;

/** A step of a flight failed: the transaction has failed with it, and no later step has run. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
  constructor(
    /** Index of the step. */
    readonly step: number,
    cause: unknown,
    /** Whether anything of the flight has left for the server. */
    readonly wasSent: boolean,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Statement names that a connection has been taught, shared by every copy of this library. */
const TAUGHT = Symbol.for('concordat.participant.statements.v1');
type Teachable = PoolClient & { [TAUGHT]?: Set<string>; readonly pipeline?: boolean };

const AS_TEXT = { getTypeParser: () => (text: unknown) => text };

export interface FlightOptions {
  /** Whether the connection keeps the statements by name. Off behind PgBouncer before 1.21. */
  readonly named: boolean;
  /** Called with the answer before anything that is queued behind the flight is sent. */
  readonly hear?: (error: Error | undefined, rows: FlightRow[][]) => void;
}

/**
 * Runs the steps in order on a connection. Resolves with the rows of each; rejects with
 * {@link StepFailed}.
 */
export function fly(
  client: PoolClient,
  steps: readonly FlightStep[],
  options: FlightOptions,
): Promise<FlightRow[][]> {
  if ((client as Teachable).pipeline) return oneByOne(client, steps, options);
  return new Promise((resolve, reject) => {
    client.query(
      new Flight(client, steps, options, (error, rows) => {
        options.hear?.(error, rows);
        if (error) reject(error);
        else resolve(rows);
      }),
    );
  });
}

/**
 * Whether a flight that failed may have taught the connection a part of its statements only: which part is
 * unknown, so the connection must not be used again.
 */
export function isHalfTaught(client: PoolClient): boolean {
  return half.has(client);
}

const half = new WeakSet<PoolClient>();

async function oneByOne(
  client: PoolClient,
  steps: readonly FlightStep[],
  { named }: FlightOptions,
): Promise<FlightRow[][]> {
  const sent = steps.map(({ text, values = [], varies }) => {
    const name = named && !varies ? { name: nameOf(text) } : {};
    return ask<FlightRow>(client, { text, values, ...name }, AS_TEXT);
  });
  const answers = await Promise.allSettled(sent);
  return answers.map((answer, step) => {
    if (answer.status === 'rejected') throw new StepFailed(step, answer.reason, true);
    return steps[step]?.tag ? [{ tag: answer.value.command }] : answer.value.rows;
  });
}

const names = new Map<string, string>();

/** By its content: two services on one pool, or two copies of this library, never mean two things by it. */
function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = `concordat_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    names.set(text, name);
  }
  return name;
}

/** The messages of a flight, and the names that its connection learns by them. */
function encode(client: Teachable, steps: readonly FlightStep[], { named }: FlightOptions) {
  const taught = (client[TAUGHT] ??= new Set());
  const teaching: string[] = [];
  const messages = new WireMessages();
  for (const { text, values = [], varies } of steps) {
    const statement = named && !varies ? nameOf(text) : '';
    if (!taught.has(statement)) {
      messages.parse(statement, text);
      if (statement !== '') {
        teaching.push(statement);
        taught.add(statement);
      }
    }
    messages.run(statement, values);
  }
  return { messages, teaching };
}

/**
 * The messages of a flight that has no end of its own: it goes on in what is written behind it, and an
 * error in it skips that as well. Its writer ends the connection after such an error.
 */
export function leadOf(
  client: PoolClient,
  steps: readonly FlightStep[],
  options: FlightOptions,
): Uint8Array {
  return encode(client, steps, options).messages.unended();
}

/** What pg's connection offers a query that is being submitted; stable since pg 8.0. */
interface Wire {
  readonly stream: { write(bytes: Uint8Array): unknown };
}

class Flight implements Submittable {
  private readonly rows: FlightRow[][] = [];
  private current: FlightRow[] = [];
  private teaching: string[] = [];
  private sent = false;

  constructor(
    private readonly client: Teachable,
    private readonly steps: readonly FlightStep[],
    private readonly options: FlightOptions,
    /** Public because pg replaces it when a query time-out is configured. */
    public callback: (error: Error | undefined, rows: FlightRow[][]) => void,
  ) {}

  submit(connection: unknown): void {
    const { messages, teaching } = encode(this.client, this.steps, this.options);
    this.teaching = teaching;
    this.sent = true;
    (connection as Wire).stream.write(messages.sync());
  }

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    const { columns = [] } = this.steps[this.rows.length] ?? {};
    const row: Record<string, string | null> = {};
    columns.forEach((column, at) => (row[column] = message.fields[at] ?? null));
    this.current.push(row);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const { tag } = this.steps[this.rows.length] ?? {};
    this.rows.push(tag ? [{ tag: text.split(' ', 1)[0] ?? '' }] : this.current);
    this.current = [];
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' });
  }

  handleReadyForQuery(): void {
    this.callback(undefined, this.rows);
  }

  handleError(error: Error): void {
    if (this.teaching.length > 0) half.add(this.client);
    this.callback(new StepFailed(this.rows.length, error, this.sent), []);
  }

  handlePortalSuspended(): void {
    // Never asked for: every portal is executed to its end.
  }
}
