/** Histories take little space and lose nothing: any note is read back as it was written. */
import type { BranchView, TimelineEvent } from '@concordat/engine';
import { madeAtMs, type TransactionId } from '@concordat/protocol';
import fc from 'fast-check';
import { freshTransaction } from '../../../../test/conformance/decision-register.js';
import { readBranches, readTimeline, writeBranches, writeTimeline } from './story.js';

const word = fc.constantFrom('prepared', 'read-only', 'committed', 'aborted', 'commit', 'other');
const number = fc.integer({ min: -10, max: 10 });
const anything = fc.oneof(word, number, fc.boolean(), fc.constant(null), fc.array(word));
const detail = fc.oneof(
  fc.record({ vote: anything }),
  fc.record({ outcome: anything }),
  fc.record({ attempt: anything }),
  fc.record({ timeoutMs: number, attempt: anything }),
  fc.record({ operations: fc.array(fc.string()) }),
  fc.record({ why: fc.string() }),
  fc.dictionary(fc.string(), fc.oneof(anything, fc.record({ vote: word }))),
);
const branchId = fc.constantFrom('1', '2', '12', '0', '01', 'b-7');
const name = fc.constantFrom('ledger-east', 'ledger-west', 'inventory');

const event = fc.record(
  {
    sequence: fc.integer({ min: 1, max: 9 }),
    gap: fc.integer({ min: -1_000, max: 60_000 }),
    type: fc.constantFrom('begun', 'voted', 'ended', 'acknowledged', 'commit-sent', 'strange', '7'),
    branch: branchId,
    participant: name,
    detail,
  },
  { requiredKeys: ['sequence', 'gap', 'type'] },
);

const vote = fc.oneof(
  fc.constantFrom({ kind: 'prepared' }, { kind: 'read-only' }),
  fc.record({ kind: fc.constant('no'), code: fc.string(), reason: fc.string() }),
);
const outcome = fc.oneof(
  fc.constantFrom({ kind: 'committed' }, { kind: 'aborted' }),
  fc.record({ kind: fc.constant('heuristic'), evidence: fc.record({ decision: word }) }),
);
const view = fc.record(
  {
    participant: name,
    work: fc.constantFrom('bundled', 'open'),
    operations: fc.array(fc.string()),
    attempts: fc.nat(5),
    vote,
    outcome,
    outputs: fc.array(fc.jsonValue()),
    lastError: fc.string(),
    nextAttemptAtMs: fc.nat(),
  },
  { requiredKeys: ['participant', 'work', 'operations', 'attempts'] },
);

const transaction: TransactionId = freshTransaction();

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Numbered one after the other, now and then with a gap, as a long timeline has one. */
function timelineOf(drawn: readonly ({ sequence: number; gap: number } & object)[]) {
  let [atMs, sequence] = [madeAtMs(transaction), 0];
  return drawn.map(({ gap, sequence: skipped, ...rest }) => {
    atMs += gap;
    sequence += skipped === 9 ? 2 : 1;
    return { sequence, atMs, ...rest } as unknown as TimelineEvent;
  });
}

describe('a story', () => {
  it('is read as it was noted', () => {
    fc.assert(
      fc.property(fc.dictionary(branchId, view), fc.array(event), (drawn, events) => {
        const branches = Object.entries(drawn).map(
          ([branch, rest]) => ({ branch, ...rest }) as unknown as BranchView,
        );
        const timeline = timelineOf(events);
        const stored = JSON.parse(writeBranches(branches)) as object[];
        const read = readBranches(stored);
        expect(read).toEqual(asJson(branches));
        const lines = JSON.parse(writeTimeline(transaction, branches, timeline)) as object[];
        expect(readTimeline(transaction, read, lines)).toEqual(asJson(timeline));
      }),
      { numRuns: process.env['CONCORDAT_NIGHTLY'] === '1' ? 5_000 : 500 },
    );
  });

  it('is read as it was written before there were short forms', () => {
    const branches = [
      { branch: '1', participant: 'east', work: 'open', operations: [], attempts: 0 },
    ];
    const timeline = [
      { sequence: 4, atMs: 17, type: 'voted', branch: '1', detail: { vote: 'prepared' } },
    ];
    expect(readBranches(branches)).toEqual(branches);
    expect(readTimeline(transaction, readBranches(branches), timeline)).toEqual(timeline);
  });
});
