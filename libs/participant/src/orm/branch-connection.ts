/**
 * A connection of the current branch that an ORM takes for its own: a look-alike of the client that a
 * pool of pg lends. Guards "a branch ends by its vote alone": BEGIN, COMMIT and ROLLBACK become a
 * savepoint, its release and its undoing; what an ORM says after the branch has ended changes nothing.
 */
import { EventEmitter } from 'node:events';
import pg from 'pg';
import type { CustomTypesConfig, QueryResult } from 'pg';
import { BranchMisuse } from '../postgres/branch-session.js';
import { isSubmittable, textOf } from '../postgres/query-forms.js';
import { openScope, refuse } from '../branch/branch-scope.js';
import type { Branch } from '../branch/current-branch.js';
import { partsOf, type Part, type Parts } from './parts.js';
import { isAtLeast, transactionTextOf, type TransactionText } from './transaction-text.js';

export interface ConnectionOptions {
  /** Parsers of values, where the ORM sets its own at the connection. */
  readonly types?: CustomTypesConfig;
  /** It serves a single statement, and a transaction that it began would have no end. */
  readonly once?: boolean;
}

type Callback = (error: unknown, result?: unknown) => void;
type Answer = Partial<QueryResult>;
type Modes = Extract<TransactionText, { kind: 'begin' | 'set' }>;

/** Any number of listeners: one connection may be kept for the whole branch. */
const LISTENERS_MAX = 0;

export class BranchConnection extends EventEmitter {
  private readonly parts: Parts;
  /** Whether it has begun a transaction, or tried to. */
  private hasBegun = false;

  /** A connection in `branch`, which is open. */
  constructor(
    readonly branch: Branch,
    private readonly options: ConnectionOptions = {},
  ) {
    super();
    this.setMaxListeners(LISTENERS_MAX);
    this.parts = partsOf(branch.session);
  }

  /** The backend of the branch, as pg's client reports it. */
  get processID(): number {
    return this.branch.session.backend;
  }

  /** A query in any form that pg takes. */
  query(config: unknown, values?: unknown, callback?: unknown): unknown {
    const statement = this.typed(config);
    const own = (config as { callback?: unknown } | null | undefined)?.callback;
    const answer = [values, callback, own].find((one) => typeof one === 'function');
    if (isSubmittable(config)) {
      this.parts.inTurn(this, () => this.submit(config, values));
      return config;
    }
    const sent = this.send(statement, Array.isArray(values) ? values : undefined);
    if (!answer) return sent;
    void sent.then(
      (result) => process.nextTick(answer as Callback, null, result),
      (error: unknown) => process.nextTick(answer as Callback, error),
    );
    return undefined;
  }

  /** Gives the connection back. A transaction that was not ended on it is undone. */
  release(_error?: unknown): void {
    this.inTurn(async () => {
      const part = this.parts.of(this);
      if (part) await this.rollback(part);
    }).catch(() => undefined); // The transaction of the branch has failed then, and cannot be prepared.
  }

  /** Connected as long as the branch is open. */
  connect(callback?: Callback): Promise<this> | undefined {
    if (!callback) return Promise.resolve(this);
    process.nextTick(callback, null, this);
    return undefined;
  }

  /** Ends nothing: the branch does that. */
  end(callback?: Callback): Promise<void> | undefined {
    this.release();
    if (!callback) return Promise.resolve();
    process.nextTick(callback, null);
    return undefined;
  }

  escapeIdentifier(text: string): string {
    return pg.escapeIdentifier(text);
  }

  escapeLiteral(text: string): string {
    return pg.escapeLiteral(text);
  }

  getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
    const types = this.options.types ?? pg.types;
    return types.getTypeParser(oid, format as 'text');
  }

  private typed(config: unknown): unknown {
    const { types } = this.options;
    if (!types || isSubmittable(config)) return config;
    return typeof config === 'string' ? { text: config, types } : { types, ...(config as object) };
  }

  private submit(query: unknown, values: unknown): void {
    try {
      void this.raw(query, values);
    } catch (error) {
      // The caller has it already: it gets the refusal like an error of the server.
      const { handleError } = query as { handleError?: (error: unknown, of?: unknown) => void };
      process.nextTick(() => handleError?.call(query, error, new EventEmitter()));
    }
  }

  private raw(config: unknown, values?: unknown): Promise<Answer> {
    const send = this.branch.client.query as (...args: unknown[]) => Promise<Answer>;
    return values === undefined ? send(config) : send(config, values);
  }

  private send(statement: unknown, values?: readonly unknown[]): Promise<Answer> {
    const meaning = transactionTextOf(textOf(statement));
    if (meaning?.kind === 'begin' && !this.options.once) return this.begin(meaning);
    return this.inTurn(() => {
      const part = this.parts.of(this);
      const isOver = !this.branch.session.isOpen;
      switch (meaning?.kind) {
        case 'set':
          if (part) return this.shape(meaning);
          break;
        case 'commit':
          if (part) return this.commit(part);
          break;
        case 'rollback':
          if (part) return this.rollback(part);
          // It tidies up after a BEGIN that failed, or after the end of the branch.
          if (this.hasBegun || isOver) return Promise.resolve(said('ROLLBACK'));
          break;
        case 'rollback-to':
          if (isOver) return Promise.resolve(said('ROLLBACK'));
          break;
        case 'begin':
        case undefined:
      }
      return this.raw(statement, values);
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.parts.inTurn(this, () => {
        try {
          work().then(resolve, reject);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  private begin(modes: Modes): Promise<Answer> {
    this.hasBegun = true;
    const part = this.parts.announce(this);
    return this.inTurn(async () => {
      this.parts.open(part);
      try {
        const begun = await this.raw(`SAVEPOINT ${part.name}`);
        await this.shape(modes);
        return { ...begun, ...said('BEGIN') };
      } catch (error) {
        await this.rollback(part).catch(() => undefined);
        throw error;
      }
    });
  }

  private async shape(modes: Modes): Promise<Answer> {
    await this.checkIsolation(modes);
    if (modes.readOnly) await this.raw('SET TRANSACTION READ ONLY');
    return said('SET');
  }

  private async commit(part: Part): Promise<Answer> {
    if (!this.parts.isInnermost(part)) {
      throw this.misuse(
        'ended a transaction of its ORM while one that it began inside of it is at work: await the inner one first',
      );
    }
    // A failed statement in it makes this fail as well: its caller must not take it for committed.
    const released = await this.raw(`RELEASE SAVEPOINT ${part.name}`);
    this.parts.end(part);
    return { ...released, ...said('COMMIT') };
  }

  private async rollback(part: Part): Promise<Answer> {
    this.parts.undo(part);
    try {
      const undone = await this.raw(`ROLLBACK TO SAVEPOINT ${part.name}`);
      await this.raw(`RELEASE SAVEPOINT ${part.name}`);
      this.parts.end(part);
      return { ...undone, ...said('ROLLBACK') };
    } catch (error) {
      if (this.branch.session.isOpen) {
        this.parts.notUndone(part);
        throw error;
      }
      // With the branch it is undone as a whole: nothing is left to do here.
      this.parts.end(part);
      return said('ROLLBACK');
    }
  }

  /** A savepoint has the isolation of the branch: weaker than asked for must not pass in silence. */
  private async checkIsolation({ isolation: asked }: Modes): Promise<void> {
    if (asked === undefined) return;
    const { rows } = await this.raw('SHOW transaction_isolation');
    const level = (rows as [{ transaction_isolation: string }])[0].transaction_isolation;
    if (isAtLeast(level, asked)) return;
    throw this.misuse(
      `began a transaction of its ORM with isolation ${asked} in a branch of isolation ${level}: give the participant the option isolation: '${asked.toUpperCase()}'`,
    );
  }

  private misuse(what: string): BranchMisuse {
    const scope = openScope();
    return scope ? refuse(scope, what) : new BranchMisuse(`branch ${this.branch.gid}: ${what}`);
  }
}

function said(command: string): Answer {
  return { command, rowCount: null, oid: 0, fields: [], rows: [] };
}
