/**
 * A participant's database, statement by statement, as the resource's SQL has it: an outcome row's
 * key is held from its insert to the end of its transaction, a prepared transaction outlives its
 * session, a finished gid is forgotten, and an answer can be lost with or without its effect.
 */
import type { PrepareResult } from '@concordat/protocol';
import type { BranchHost } from './branch-host.js';
import { fault, type Change } from './change.js';
import type { Host } from './host.js';
import type { Instance, Participant, Statement } from './world.js';

const ROLLED_BACK: PrepareResult = {
  kind: 'rolled-back',
  vote: { kind: 'no', code: 'NO', reason: '', retryable: false },
};

export class DatabaseRules {
  constructor(
    private readonly host: Host,
    private readonly performing: BranchHost,
    private readonly onePhase: boolean,
  ) {}

  /** What happens with no process of ours behind it. */
  alone(participant: Participant): Change[] {
    return [...this.orphan(participant), ...this.byHand(participant)];
  }

  /** Statements that this instance waits for. */
  ofInstance(participant: Participant, k: number, instance: Instance): Change[] {
    return [...this.prepare(participant, k, instance), ...this.finish(participant, k, instance)];
  }

  private prepare(participant: Participant, k: number, instance: Instance): Change[] {
    const to = (statement: Statement, row = participant.row): Participant =>
      this.performing.with({ ...participant, row }, k, { ...instance, statement });
    switch (instance.statement) {
      case 'idle':
        return [];
      case 'sent':
        return [
          ...this.insert(participant, k, to('inserted')),
          ...this.connectionLost(participant, k, instance),
        ];
      case 'empty': {
        const label = 'the database of {p} finds nothing written and commits locally';
        const after = this.answer({ ...participant, readOnly: true }, k, { kind: 'read-only' });
        return [{ label, kind: 'progress', participant: after }];
      }
      case 'inserted':
        if (this.onePhase) return this.commitAlone(participant, k, instance);
        return [
          {
            label: 'PREPARE lands in the database of {p}',
            kind: 'progress',
            participant: to('prepared', 'prepared'),
          },
          {
            label: 'PREPARE fails in the database of {p}: command tag ROLLBACK',
            kind: 'choice',
            participant: this.answer(participant, k, ROLLED_BACK),
          },
          ...this.connectionLost(participant, k, instance),
        ];
      case 'committed':
        return [
          {
            label: '{p} learns from its database that it has committed',
            kind: 'progress',
            participant: this.answer(participant, k, { kind: 'committed' }),
          },
          ...this.connectionLost(participant, k, instance),
        ];
      case 'prepared':
        return [
          {
            label: '{p} learns from its database that it is prepared',
            kind: 'progress',
            participant: this.answer(participant, k, { kind: 'prepared' }),
          },
          ...this.connectionLost(participant, k, instance),
        ];
    }
  }

  /** One phase: COMMIT in the place of PREPARE. */
  private commitAlone(participant: Participant, k: number, instance: Instance): Change[] {
    return [
      {
        label: 'COMMIT lands in the database of {p}',
        kind: 'progress',
        participant: this.performing.with(committed(participant), k, {
          ...instance,
          statement: 'committed',
        }),
      },
      {
        label: 'COMMIT fails in the database of {p}: command tag ROLLBACK',
        kind: 'choice',
        participant: this.answer(participant, k, ROLLED_BACK),
      },
      ...this.connectionLost(participant, k, instance),
    ];
  }

  /** An answer that comes with its statement: it is equivalent to one that comes later. */
  private answer(participant: Participant, k: number, result: PrepareResult): Participant {
    return this.performing.prepareAnswered(participant, k, result);
  }

  private insert(participant: Participant, k: number, inserted: Participant): Change[] {
    if (keyIsHeld(participant)) {
      const label = 'the outcome row of {p} waits for its key until the time-out';
      const after = this.answer(participant, k, ROLLED_BACK);
      return [{ label, kind: 'timeout', participant: after }];
    }
    if (!this.host.keyIsFree(participant.row) || this.isClosed(participant)) {
      const label = 'the outcome row of {p} is refused: its key exists, or it is past retention';
      const after = this.answer(participant, k, ROLLED_BACK);
      return [{ label, kind: 'progress', participant: after }];
    }
    const label = 'the outcome row of {p} is inserted, not yet committed';
    return [{ label, kind: 'progress', participant: inserted }];
  }

  /** The answer to PREPARE will not come; what was sent may still land. */
  private connectionLost(participant: Participant, k: number, instance: Instance): Change[] {
    const unknown = { kind: 'unknown', reason: '' } as const;
    const left = this.performing.abandon(participant, instance);
    return [
      {
        label: '{p} loses the connection on which it prepared',
        ...fault('database unknown'),
        participant: this.performing.prepareAnswered(left, k, unknown),
      },
    ];
  }

  private finish(participant: Participant, k: number, instance: Instance): Change[] {
    const next = (finish: Instance['finish'], left = participant): Participant =>
      this.performing.with(left, k, { ...instance, finish });
    switch (instance.finish) {
      case 'idle':
        return [];
      case 'commit': {
        if (participant.row !== 'prepared') {
          const label = 'COMMIT PREPARED at {p}: no such transaction (42704)';
          return [{ label, kind: 'progress', participant: next('judge') }];
        }
        const applied = participant.applied + 1;
        const done: Participant = { ...participant, row: 'committed', applied };
        return this.finished(done, k, 'committed', 'COMMIT PREPARED at {p}', participant);
      }
      case 'judge': {
        const found = this.host.judgeMissing(participant.row);
        return this.finished(participant, k, found, `{p} reads its outcome row: ${found}`);
      }
      case 'rollback': {
        if (participant.row !== 'prepared') {
          const label = 'ROLLBACK PREPARED at {p}: no such transaction (42704)';
          return [{ label, kind: 'progress', participant: next('fence') }];
        }
        const label = 'ROLLBACK PREPARED at {p}';
        const undone: Participant = { ...participant, row: 'none' };
        return [{ label, kind: 'progress', participant: next('fence', undone) }];
      }
      case 'fence':
        return this.fence(participant, k);
    }
  }

  /** In one phase, no row is written below what may have been forgotten. */
  private isClosed({ pruned }: Participant): boolean {
    return this.onePhase && pruned && this.host.closesWhatItForgets;
  }

  private fence(participant: Participant, k: number): Change[] {
    if (keyIsHeld(participant)) {
      const label = 'the tombstone at {p} waits for the branch until the time-out: ask again';
      const after = this.performing.finishUnknown(participant, k);
      return [{ label, kind: 'progress', participant: after }];
    }
    if (this.isClosed(participant) && participant.row === 'none') {
      const label = '{p} finds nothing, past retention: it does not know';
      const told = this.performing.finishForgotten(participant, k);
      const lost = { label: `${label}; the answer is lost`, ...fault('database unknown') };
      const after = this.performing.finishUnknown(participant, k);
      return [
        { label, kind: 'progress', participant: told },
        { ...lost, participant: after },
      ];
    }
    const row = this.host.afterFence(participant.row);
    const tombstoned = participant.tombstoned || row === 'tombstone';
    const fenced: Participant = { ...participant, row, tombstoned };
    const foundInTwo = row === 'committed' ? 'found-committed' : 'aborted';
    const found = this.onePhase ? this.host.foundInOnePhase(row) : foundInTwo;
    const label = `{p} leaves a tombstone: ${found}`;
    return this.finished(fenced, k, found, label, participant);
  }

  /** The answer comes, or is lost after its effect, or was lost before it. */
  private finished(
    done: Participant,
    k: number,
    found: Parameters<BranchHost['finishAnswered']>[2],
    label: string,
    before?: Participant,
  ): Change[] {
    const answered = this.performing.finishAnswered(done, k, found);
    const changes: Change[] = [{ label, kind: 'progress', participant: answered }];
    const lost = fault('database unknown');
    const unknown = this.performing.finishUnknown(done, k);
    changes.push({ label: `${label}; the answer is lost`, ...lost, participant: unknown });
    if (before) {
      const nothing = this.performing.finishUnknown(before, k);
      changes.push({ label: '{p} does not reach its database', ...lost, participant: nothing });
    }
    return changes;
  }

  /** A session whose client is gone: the server may still carry out what was sent. */
  private orphan(participant: Participant): Change[] {
    const to = (orphan: Participant['orphan'], row = participant.row): Participant => ({
      ...participant,
      orphan,
      row,
    });
    switch (participant.orphan) {
      case 'none':
        return [];
      case 'sent': {
        const free =
          this.host.keyIsFree(participant.row) &&
          !keyIsHeld(participant) &&
          !this.isClosed(participant);
        const label = free
          ? 'a late outcome row of {p} is inserted, not yet committed'
          : 'a late outcome row of {p} is refused: its key exists';
        return [{ label, kind: 'progress', participant: to(free ? 'inserted' : 'none') }];
      }
      case 'inserted':
        return [
          {
            label: `a late ${this.onePhase ? 'COMMIT' : 'PREPARE'} lands at {p}`,
            kind: 'progress',
            participant: this.onePhase ? committed(to('none')) : to('none', 'prepared'),
          },
          { label: 'a late session at {p} dies', kind: 'choice', participant: to('none') },
        ];
    }
  }

  private byHand(participant: Participant): Change[] {
    if (participant.row !== 'prepared') return [];
    return [
      {
        label: 'somebody enters ROLLBACK PREPARED at {p}',
        ...fault('manual'),
        participant: { ...participant, row: 'none', byHand: 'rolled-back' },
      },
      {
        label: 'somebody enters COMMIT PREPARED at {p}',
        ...fault('manual'),
        participant: {
          ...participant,
          row: 'committed',
          applied: participant.applied + 1,
          byHand: 'committed',
        },
      },
    ];
  }
}

function committed(participant: Participant): Participant {
  return { ...participant, row: 'committed', applied: participant.applied + 1 };
}

/** Whether some transaction that has not ended holds the outcome row's key. */
export function keyIsHeld({ row, orphan, instances }: Participant): boolean {
  return (
    row === 'prepared' ||
    orphan === 'inserted' ||
    instances.some((one) => one.statement === 'inserted')
  );
}
