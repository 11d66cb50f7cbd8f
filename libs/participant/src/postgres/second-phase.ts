/**
 * Round two in the database: COMMIT PREPARED, ROLLBACK PREPARED, and what to make of "unknown gid".
 * Guards protocol §4.4: 42704 never means "already committed"; only the outcome row can say so. Idempotent,
 * may run anywhere and several at once, and never throws.
 */
import {
  decidedAt,
  formatGid,
  type AbortResult,
  type CommitResult,
  type Decision,
  type HeuristicEvidence,
} from '@concordat/protocol';
import type { BranchKey } from '@concordat/engine';
import type { Pool, PoolClient, QueryConfig } from 'pg';
import {
  RESET_ROLE,
  commitPreparedSql,
  rollbackPreparedSql,
  takeRoleSql,
  type OutcomeStatements,
} from './branch.sql.js';
import { OWNER_OF } from './inspection.sql.js';
import type { OnePhaseStatements } from './one-phase.sql.js';
import { tagOf } from './plain-statement.js';
import { lend } from './pools.js';
import { markLost } from './resource-noes.js';
import { SqlState, isConnectionLost, sqlErrorOf } from './sqlstate.js';
import { awaitedByStandbys } from './standby-wait.js';

export interface SecondPhaseOptions {
  readonly statements: OutcomeStatements & OnePhaseStatements;
  /** How long a tombstone waits for a branch that is still running. */
  readonly tombstoneLockMs: number;
  /** Whether its statements are named, so that a session plans each once. */
  readonly named: boolean;
  /** Called where the mark of one phase is gone. */
  readonly markLost: () => void;
  /** What names the outcome table in a remedy. */
  readonly table: string;
}

type NotFinished = { readonly kind: 'busy' | 'unknown'; readonly reason: string };
type OutcomeKind = 'branch' | 'tombstone' | undefined;

const PAST_RETENTION =
  'it is past the retention of this participant: whether it has committed is not known any more';

export class SecondPhase {
  constructor(
    private readonly pool: Pool,
    private readonly options: SecondPhaseOptions,
  ) {}

  commit(branch: BranchKey): Promise<CommitResult> {
    return this.on<CommitResult>(async (client) => {
      // In one phase nothing is ever prepared: a takeover of what has committed asks.
      if (decidedAt(branch.transaction) !== undefined) {
        return this.judgeMissing(branch, await this.outcome(client, branch));
      }
      try {
        await this.finish(client, branch, commitPreparedSql(formatGid(branch)));
        // Crash or a cut here: the repeat finds 42704 and the branch's own outcome row.
        return { kind: 'committed' };
      } catch (error) {
        if (sqlErrorOf(error)?.code !== SqlState.undefinedObject) throw error;
      }
      return this.judgeMissing(branch, await this.outcome(client, branch));
    });
  }

  abort(branch: BranchKey): Promise<AbortResult> {
    return this.on<AbortResult>(async (client) => {
      if (decidedAt(branch.transaction) !== undefined) return this.decide(client, branch);
      try {
        await this.finish(client, branch, rollbackPreparedSql(formatGid(branch)));
      } catch (error) {
        // Never prepared, or rolled back earlier. Or the PREPARE is still in flight: the tombstone
        // waits for its outcome row and this abort is asked again.
        if (sqlErrorOf(error)?.code !== SqlState.undefinedObject) throw error;
      }
      // Crash here: no tombstone yet, a late prepare could still land; the abort is sent again, and
      // if it is not sent, the branch inquires.
      return this.fence(client, branch);
    });
  }

  /**
   * Only the role that prepared a branch, or a superuser, may finish it. Where that is another role than
   * ours and we are a member of it, we finish as that role.
   */
  private async finish(client: PoolClient, branch: BranchKey, statement: string): Promise<void> {
    try {
      await tagOf(client, statement);
    } catch (error) {
      if (sqlErrorOf(error)?.code !== SqlState.noRight) throw error;
      const { rows } = await client.query<{ owner: string }>(OWNER_OF, [formatGid(branch)]);
      const owner = rows[0]?.owner;
      if (owner === undefined) throw error;
      await client.query(takeRoleSql(owner)).catch(() => Promise.reject(error as Error));
      // Crash or a cut here: the session ends with its role; the repeat starts again.
      try {
        await tagOf(client, statement);
      } finally {
        await client.query(RESET_ROLE);
      }
    }
  }

  /**
   * One phase (protocol §4.6): this table decides. The tombstone is first, or another row was: then that is said
   * once what made it durable is durable here and at every standby that is waited for. Crash anywhere: the next one
   * who asks finds the same row. No row below the mark: its outcome was forgotten, and which it was is not known.
   */
  private async decide(client: PoolClient, branch: BranchKey): Promise<AbortResult> {
    const place = decidedAt(branch.transaction);
    if (place !== branch.participant) {
      return { kind: 'unknown', reason: `its transaction is decided at ${place}` };
    }
    const { insertAbort, confirmDecision, isClosed } = this.options.statements;
    const key = [branch.transaction, branch.branch];
    const durably = <Row extends object>(name: string, text: string, values: string[]) =>
      awaitedByStandbys(client, () => client.query<Row>(this.statement(name, text, values)));
    const limits = [branch.participant, String(this.options.tombstoneLockMs)];
    const written = await durably('concordat_abort', insertAbort, [...key, ...limits]);
    if (written.rowCount === 1) return { kind: 'aborted' };
    const { rows } = await durably<{ kind: string }>('concordat_confirm', confirmDecision, key);
    const [row] = rows;
    if (row) return { kind: row.kind === 'branch' ? 'committed' : 'aborted' };
    const asked = await client.query<{ closed: boolean | null }>(isClosed, [branch.transaction]);
    const { closed } = asked.rows[0] ?? {};
    if (closed === true) return { kind: 'forgotten', reason: PAST_RETENTION };
    if (closed === null) {
      this.options.markLost();
      return { kind: 'busy', reason: markLost().reason };
    }
    return { kind: 'busy', reason: 'the outcome row vanished while it was read; ask again' };
  }

  /** Writes the tombstone; a process that finds a row there reads what it is. */
  private async fence(client: PoolClient, branch: BranchKey): Promise<AbortResult> {
    const { insertTombstone } = this.options.statements;
    const { rowCount } = await client.query(
      this.statement('concordat_tombstone', insertTombstone, [
        branch.transaction,
        branch.branch,
        branch.participant,
        String(this.options.tombstoneLockMs),
      ]),
    );
    if (rowCount === 1) return { kind: 'aborted' };
    switch (await this.outcome(client, branch)) {
      case 'tombstone':
        return { kind: 'aborted' };
      case 'branch':
        return {
          kind: 'heuristic',
          evidence: evidence('abort', 'committed', branch, 'its own outcome row is committed'),
        };
      case undefined:
        return { kind: 'busy', reason: 'the outcome row vanished while it was read; ask again' };
    }
  }

  private judgeMissing(branch: BranchKey, outcome: OutcomeKind): CommitResult {
    switch (outcome) {
      case 'branch':
        return { kind: 'committed' };
      case 'tombstone':
        return {
          kind: 'heuristic',
          evidence: evidence('commit', 'rolled-back', branch, 'the tombstone of an abort is there'),
        };
      case undefined:
        return {
          kind: 'heuristic',
          evidence: evidence(
            'commit',
            'missing',
            branch,
            'it is neither prepared nor has it an outcome row: rolled back manually, lost by a failover, or absent from a restored backup',
          ),
        };
    }
  }

  private async outcome(client: PoolClient, branch: BranchKey): Promise<OutcomeKind> {
    const read = await client.query<{ standby: boolean; kind: string | null }>(
      this.statement('concordat_outcome', this.options.statements.readOutcome, [
        branch.transaction,
        branch.branch,
      ]),
    );
    const row = read.rows[0];
    // A standby may not have replayed the row yet, so what it lacks proves nothing.
    if (!row || row.standby) throw new Error('the database server is a standby; it cannot judge');
    if (row.kind === 'branch' || row.kind === 'tombstone') return row.kind;
    return undefined;
  }

  private statement(name: string, text: string, values: string[]): QueryConfig {
    return this.options.named ? { name, text, values } : { text, values };
  }

  /** Runs on a connection of the second phase, which is discarded after anything but a plain ERROR. */
  private async on<Result>(
    work: (client: PoolClient) => Promise<Result>,
  ): Promise<Result | NotFinished> {
    const plain = (error: unknown): boolean =>
      sqlErrorOf(error)?.severity === 'ERROR' && !isConnectionLost(error);
    try {
      return await lend(await this.pool.connect(), work, plain);
    } catch (error) {
      return this.notFinished(error);
    }
  }

  private notFinished(error: unknown): NotFinished {
    const said = error instanceof Error ? error.message : String(error);
    switch (sqlErrorOf(error)?.code ?? 'no SQLSTATE') {
      case SqlState.busy:
        return { kind: 'busy', reason: 'another session is finishing it' };
      case SqlState.lockNotAvailable:
        return { kind: 'busy', reason: 'the branch is still running; its tombstone waits for it' };
      case SqlState.serialization:
        return { kind: 'busy', reason: 'the outcome row is being written at this moment' };
      case SqlState.noRight:
        return {
          kind: 'unknown',
          reason: `${said}: only the role that prepared a branch, or a superuser, can finish it. Make this service's role a member of that role (GRANT), with all rights on ${this.options.table} for its own`,
        };
      case SqlState.notSupported:
        return {
          kind: 'unknown',
          reason: `${said}: this service is connected to another database of the server than the one it prepared in. Correct its database URL`,
        };
      case SqlState.undefinedTable:
      case SqlState.undefinedSchema:
        return {
          kind: 'unknown',
          reason: `${this.options.table} is missing: restart the service, so that its migration makes it`,
        };
      case SqlState.readOnlyTransaction:
        return {
          kind: 'unknown',
          reason: 'the database server is a standby: point the service at the primary',
        };
      default:
        return { kind: 'unknown', reason: said };
    }
  }
}

function evidence(
  decision: Decision,
  found: HeuristicEvidence['found'],
  branch: BranchKey,
  seen: string,
): HeuristicEvidence {
  const { transaction, participant } = branch;
  return {
    decision,
    found,
    explanation: `${participant} was asked to ${decision} branch ${branch.branch} of ${transaction}; ${seen}.`,
  };
}
