/** What an entity tag of the admin API changes with, and what it says when it has. */
import type { OperationRecord } from '@concordat/decision-log';
import type { FoundOrphan } from '@concordat/engine';
import type { Incarnation } from '@concordat/protocol';
import { Problem } from '../problems/problem.js';
import { assertSaysWhatWasSeen, assertUnchanged } from './if-match.js';
import { etagOf as operationTag } from './operations/operation-resource.js';
import { etagOf as orphanTag } from './orphans/orphan-tag.js';

const ORPHAN = {
  gid: 'cc:aaaaaaaa:x:1',
  participant: 'ledger-west',
  kind: 'prepared-unknown',
  heldMs: 16_000,
  evidence: 'It is prepared for 16 s.',
} as FoundOrphan;

const OPERATION: OperationRecord = {
  operation: 'op-1',
  action: 'retry',
  state: 'running',
  by: 'operator',
  reason: 'stale',
  runner: 'a1b2c3d4' as Incarnation,
  createdAtMs: 1,
  startedAtMs: 2,
  total: 3,
  counts: { waiting: 3, done: 0, skipped: 0, failed: 0 },
};

function problemOf(asked: () => void): Problem {
  try {
    asked();
  } catch (error) {
    if (error instanceof Problem) return error;
  }
  throw new Error('it was not refused');
}

describe('The tag of an orphan', () => {
  it('stays while it is only older, and changes with what is found and what is decided', () => {
    const older = { ...ORPHAN, heldMs: 26_000, evidence: 'It is prepared for 26 s.' };
    expect(orphanTag(older)).toBe(orphanTag(ORPHAN));
    const decided = { ...ORPHAN, kind: 'prepared-decided', verdict: 'abort' } as const;
    const tags = [ORPHAN, decided, { ...decided, verdict: 'commit' } as const].map(orphanTag);
    expect(new Set(tags).size).toBe(3);
  });
});

describe('The tag of an operation', () => {
  const counts = { waiting: 1, done: 2, skipped: 0, failed: 0 };

  it('stays while it runs, so that it can be cancelled', () => {
    const further = operationTag({ ...OPERATION, counts }, 'running');
    expect(further).toBe(operationTag(OPERATION, 'running'));
  });

  it('changes with its state, its runner, and what a start would be about', () => {
    const tags = [
      operationTag(OPERATION, 'running'),
      operationTag(OPERATION, 'interrupted'),
      operationTag({ ...OPERATION, counts }, 'interrupted'),
      operationTag({ ...OPERATION, runner: 'e5f6g7h8' as Incarnation }, 'running'),
      operationTag(OPERATION, 'cancelled'),
    ];
    expect(new Set(tags).size).toBe(tags.length);
  });
});

describe('A request', () => {
  const etag = orphanTag(ORPHAN);
  const now = { is: 'prepared', members: { kind: 'prepared-unknown' } };

  it('that has seen what is there goes on, however its tag is written', () => {
    for (const ifMatch of [etag, `W/${etag}`, `"other", ${etag}`]) {
      expect(() => assertUnchanged(ifMatch, etag, { name: 'orphan' }, now)).not.toThrow();
    }
  });

  it('that does not say what it has seen, or has seen something else, is refused', () => {
    const bare = problemOf(() => assertSaysWhatWasSeen(undefined, { name: 'orphan' }));
    expect([bare.getStatus(), bare.code]).toEqual([428, 'if-match-missing']);
    for (const ifMatch of ['"other"', '', '*']) {
      const stale = problemOf(() => assertUnchanged(ifMatch, etag, { name: 'orphan' }, now));
      expect([stale.getStatus(), stale.headers]).toEqual([412, { ETag: etag }]);
      expect(stale.getResponse()).toMatchObject({ etag, kind: 'prepared-unknown' });
    }
  });
});
