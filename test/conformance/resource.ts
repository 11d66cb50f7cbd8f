/**
 * What every implementation of the Resource port must do, whether a real database or the
 * simulator's: votes that are true, finishes that may be repeated, outcome rows and tombstones that
 * settle who was first. One suite, so that what the simulator proves holds for the database.
 */
import {
  ONLY_BRANCH,
  formatGid,
  makeBranchId,
  makeTransactionId,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import type { BranchKey, Resource } from '@concordat/engine';

/** A resource under test, and what a service or a DBA can do to it from outside. */
export interface ResourceHarness<Session> {
  readonly resource: Resource<Session>;
  /** Another instance's resource over the same database. */
  readonly other: Resource<Session>;
  /** Work of a branch: leaves `mark` to be seen after its commit. */
  write(session: Session, mark: string): Promise<void>;
  read(session: Session): Promise<void>;
  /** A statement that fails, whose error the operation swallows. */
  failQuietly(session: Session): Promise<void>;
  /** Whether committed work with this mark is visible. */
  sees(mark: string): Promise<boolean>;
  /** What a DBA can do without the product. */
  commitByHand(branch: BranchKey): Promise<void>;
  rollbackByHand(branch: BranchKey): Promise<void>;
  close(): Promise<void>;
}

export const CLUSTER = 'conform1' as ClusterId;
const OWNER = 'c00rdin8' as Incarnation;
const TIME_LEFT_MS = 5_000;

let made = 0;

/** A branch key that no test has used. */
export function freshBranch(cluster = CLUSTER): BranchKey {
  made += 1;
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(6, made);
  return {
    cluster,
    transaction: makeTransactionId(Date.now(), random, OWNER),
    branch: makeBranchId(1 + (made % 9)),
    participant: 'ledger-east' as ParticipantName,
  };
}

/** The only branch of a transaction that its participant decides, by its commit. */
export function freshBranchAlone(place?: ParticipantName): BranchKey {
  const branch = freshBranch();
  const decidedAt = place ?? branch.participant;
  const transaction = `${branch.transaction}-${decidedAt}` as BranchKey['transaction'];
  return { ...branch, transaction, branch: ONLY_BRANCH };
}

/** Begins a branch that must begin. */
export async function beginOn<Session>(
  resource: Resource<Session>,
  branch: BranchKey,
  timeLeftMs = TIME_LEFT_MS,
): Promise<Session> {
  const begun = await resource.begin(branch, { timeLeftMs });
  if (begun.kind === 'no') throw new Error(`no session: ${begun.vote.code} ${begun.vote.reason}`);
  return begun.session;
}

export function describeResource<Session>(
  name: string,
  create: () => Promise<ResourceHarness<Session>>,
): void {
  describe(`${name} as a resource`, () => {
    let harness: ResourceHarness<Session>;

    beforeAll(async () => {
      harness = await create();
    });

    afterAll(() => harness.close());

    async function prepared(branch: BranchKey, mark: string): Promise<void> {
      const session = await beginOn(harness.resource, branch);
      await harness.write(session, mark);
      expect(await harness.resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
    }

    const markOf = (branch: BranchKey): string => branch.transaction;

    async function listed(branch: BranchKey): Promise<boolean> {
      const { entries } = await harness.resource.listPrepared(branch.cluster);
      return entries.some((one) => one.gid === formatGid(branch));
    }

    describe('votes', () => {
      it('prepared when it wrote: its work is not seen and it is listed', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        expect(await harness.sees(markOf(branch))).toBe(false);
        expect(await listed(branch)).toBe(true);
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
      });

      it('read-only when it wrote nothing: it takes no slot and leaves nothing to finish', async () => {
        const branch = freshBranch();
        const session = await beginOn(harness.resource, branch);
        await harness.read(session);
        expect(await harness.resource.prepare(branch, session)).toEqual({ kind: 'read-only' });
        expect(await listed(branch)).toBe(false);
      });

      it('no when a statement failed and the operation swallowed its error', async () => {
        const branch = freshBranch();
        const session = await beginOn(harness.resource, branch);
        await harness.write(session, markOf(branch));
        await harness.failQuietly(session);
        const result = await harness.resource.prepare(branch, session);
        expect(result).toMatchObject({ kind: 'rolled-back', vote: { code: 'ROLLED_BACK' } });
        expect(await listed(branch)).toBe(false);
      });

      it('no on a session that was rolled back', async () => {
        const branch = freshBranch();
        const session = await beginOn(harness.resource, branch);
        await harness.write(session, markOf(branch));
        await harness.resource.rollback(session);
        const result = await harness.resource.prepare(branch, session);
        expect(result).toMatchObject({ kind: 'rolled-back' });
        expect(await listed(branch)).toBe(false);
      });
    });

    describe('in one phase', () => {
      async function closed(branch: BranchKey, resource = harness.resource) {
        const session = await beginOn(resource, branch);
        await harness.write(session, markOf(branch));
        return resource.prepare(branch, session);
      }

      it('committed by itself: its work is seen, nothing is prepared, and no abort takes it back', async () => {
        const branch = freshBranchAlone();
        expect(await closed(branch)).toEqual({ kind: 'committed' });
        expect(await harness.sees(markOf(branch))).toBe(true);
        expect(await listed(branch)).toBe(false);
        for (const one of [harness.resource, harness.other, harness.resource]) {
          expect(await one.abort(branch)).toEqual({ kind: 'committed' });
          expect(await one.commit(branch)).toEqual({ kind: 'committed' });
        }
        expect(await harness.sees(markOf(branch))).toBe(true);
      });

      it('read-only when it wrote nothing: then a tombstone may come', async () => {
        const branch = freshBranchAlone();
        const session = await beginOn(harness.resource, branch);
        await harness.read(session);
        expect(await harness.resource.prepare(branch, session)).toEqual({ kind: 'read-only' });
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
      });

      it('no where the tombstone was first, permanently', async () => {
        const branch = freshBranchAlone();
        expect(await harness.other.abort(branch)).toEqual({ kind: 'aborted' });
        const late = await closed(branch);
        expect(late).toMatchObject({ kind: 'rolled-back', vote: { code: 'ALREADY_FINISHED' } });
        expect(await harness.sees(markOf(branch))).toBe(false);
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
      });

      it('no of a second copy, and the first one has committed all the same', async () => {
        const branch = freshBranchAlone();
        expect(await closed(branch)).toEqual({ kind: 'committed' });
        const second = await closed(branch, harness.other);
        expect(second).toMatchObject({ kind: 'rolled-back', vote: { code: 'ALREADY_FINISHED' } });
        expect(await harness.other.abort(branch)).toEqual({ kind: 'committed' });
      });

      it('one of two copies at once commits, and an abort says so', async () => {
        const branch = freshBranchAlone();
        const votes = await Promise.all([closed(branch), closed(branch, harness.other)]);
        expect(votes.map(({ kind }) => kind).sort()).toEqual(['committed', 'rolled-back']);
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'committed' });
      });

      it('no when a statement failed and the operation swallowed its error', async () => {
        const branch = freshBranchAlone();
        const session = await beginOn(harness.resource, branch);
        await harness.write(session, markOf(branch));
        await harness.failQuietly(session);
        const result = await harness.resource.prepare(branch, session);
        expect(result).toMatchObject({ kind: 'rolled-back' });
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
      });
    });

    describe('commit', () => {
      it('makes the work seen, and is answered alike when repeated', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        expect(await harness.other.commit(branch)).toEqual({ kind: 'committed' });
        expect(await harness.sees(markOf(branch))).toBe(true);
        expect(await harness.resource.commit(branch)).toEqual({ kind: 'committed' });
        expect(await listed(branch)).toBe(false);
      });

      it('by two sessions at once commits once, and neither reports damage', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        const both = await Promise.all([
          harness.resource.commit(branch),
          harness.other.commit(branch),
        ]);
        for (const { kind } of both) expect(['committed', 'busy']).toContain(kind);
        expect(await harness.resource.commit(branch)).toEqual({ kind: 'committed' });
        expect(await harness.sees(markOf(branch))).toBe(true);
      });

      it('of a branch that a DBA rolled back is heuristic: its work is missing', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        await harness.rollbackByHand(branch);
        expect(await harness.resource.commit(branch)).toMatchObject({
          kind: 'heuristic',
          evidence: { decision: 'commit', found: 'missing' },
        });
      });

      it('of a branch that was aborted is heuristic: its tombstone is there', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
        expect(await harness.other.commit(branch)).toMatchObject({
          kind: 'heuristic',
          evidence: { decision: 'commit', found: 'rolled-back' },
        });
      });

      it('of a branch that a DBA committed is committed', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        await harness.commitByHand(branch);
        expect(await harness.resource.commit(branch)).toEqual({ kind: 'committed' });
      });
    });

    describe('abort', () => {
      it('undoes the work, and is answered alike when repeated', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        expect(await harness.other.abort(branch)).toEqual({ kind: 'aborted' });
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
        expect(await harness.sees(markOf(branch))).toBe(false);
        expect(await listed(branch)).toBe(false);
      });

      it('of a branch that never came leaves a tombstone: its late prepare is refused', async () => {
        const branch = freshBranch();
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
        const session = await beginOn(harness.other, branch);
        await harness.write(session, markOf(branch));
        expect(await harness.other.prepare(branch, session)).toMatchObject({
          kind: 'rolled-back',
          vote: { code: 'ALREADY_FINISHED', retryable: false },
        });
        expect(await listed(branch)).toBe(false);
        expect(await harness.sees(markOf(branch))).toBe(false);
      });

      it('while the branch is at work wins: the branch can no longer prepare', async () => {
        const branch = freshBranch();
        const session = await beginOn(harness.resource, branch);
        await harness.write(session, markOf(branch));
        expect(await harness.other.abort(branch)).toEqual({ kind: 'aborted' });
        expect(await harness.resource.prepare(branch, session)).toMatchObject({
          kind: 'rolled-back',
          vote: { code: 'ALREADY_FINISHED' },
        });
        expect(await listed(branch)).toBe(false);
      });

      it('of a branch that a DBA committed is heuristic: its outcome row is committed', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        await harness.commitByHand(branch);
        expect(await harness.resource.abort(branch)).toMatchObject({
          kind: 'heuristic',
          evidence: { decision: 'abort', found: 'committed' },
        });
      });

      it('of a branch that a DBA rolled back is aborted', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        await harness.rollbackByHand(branch);
        expect(await harness.resource.abort(branch)).toEqual({ kind: 'aborted' });
      });

      it('against a commit at the same moment leaves one outcome that both can name', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        await Promise.all([harness.resource.commit(branch), harness.other.abort(branch)]);
        const committed = await harness.sees(markOf(branch));
        const commit = await harness.resource.commit(branch);
        const abort = await harness.resource.abort(branch);
        expect(commit.kind).toBe(committed ? 'committed' : 'heuristic');
        expect(abort.kind).toBe(committed ? 'heuristic' : 'aborted');
      });
    });

    describe('the same branch twice', () => {
      it('is refused once the first has committed', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        expect(await harness.resource.commit(branch)).toEqual({ kind: 'committed' });
        const session = await beginOn(harness.other, branch);
        await harness.write(session, `${markOf(branch)}-again`);
        expect(await harness.other.prepare(branch, session)).toMatchObject({
          kind: 'rolled-back',
          vote: { code: 'ALREADY_FINISHED' },
        });
        expect(await harness.sees(`${markOf(branch)}-again`)).toBe(false);
      });
    });

    describe('the inventory', () => {
      it('never lists the branches of another cluster', async () => {
        const foreign = freshBranch('foreign1' as ClusterId);
        await prepared(foreign, markOf(foreign));
        const { entries, slotsUsed, slotsMax } = await harness.resource.listPrepared(CLUSTER);
        expect(entries.filter((one) => one.gid === formatGid(foreign))).toEqual([]);
        expect(slotsUsed).toBeGreaterThanOrEqual(1);
        expect(slotsMax).toBeGreaterThanOrEqual(slotsUsed);
        expect(await harness.resource.abort(foreign)).toEqual({ kind: 'aborted' });
      });

      it('reports how long a branch has been prepared', async () => {
        const branch = freshBranch();
        await prepared(branch, markOf(branch));
        const { entries } = await harness.resource.listPrepared(CLUSTER);
        const entry = entries.find((one) => one.gid === formatGid(branch));
        expect(entry?.ageMs).toBeGreaterThanOrEqual(0);
        expect(await harness.resource.commit(branch)).toEqual({ kind: 'committed' });
      });
    });
  });
}
