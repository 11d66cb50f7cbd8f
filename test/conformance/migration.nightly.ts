/**
 * A log of a million transactions of the version before is migrated while another coordinator decides and
 * notes. Guards that an upgrade of a full log delays no decision, and says how long the history waits.
 */
import { waitFor } from '@concordat/testing';
import { jest } from '@jest/globals';
import type pg from 'pg';
import { DecisionLogStage } from './decision-log-stage.js';
import { GONE, earlierId, earlierSchema } from './earlier-log.js';

jest.setTimeout(600_000);

const TRANSACTIONS = 1_000_000;
/** A decision that took longer has waited for the migration. */
const DECIDED_WITHIN_MS = 1_000;

const AT_MS = Date.now();
const NUMBERED = `'01h' || lpad(to_hex(n), 23, '0') || '-${GONE}'`;

const FILL = [
  `INSERT INTO concordat.decision (transaction, decision, finisher, branches, note, principal, decided_at, ended_at, outcome)
   SELECT ${NUMBERED}, 'commit', '${GONE}', '[{"branch":"1","participant":"ledger-east","work":"bundled"},{"branch":"2","participant":"ledger-west","work":"bundled"}]',
          '{"label":"transfer"}', 'client', now(), now(), 'committed'
     FROM generate_series(1, ${TRANSACTIONS}) n`,
  `INSERT INTO concordat.journal (transaction, owner, principal, label, status, decision, outcome, participants,
                                  timeout_ms, begun_at, decided_at, ended_at, branches, timeline, version)
   SELECT ${NUMBERED}, '${GONE}', 'client', 'transfer', 'committed', 'commit', 'committed', ARRAY['ledger-east', 'ledger-west'],
          10000, now(), now(), now(),
          '[{"branch":"1","participant":"ledger-east","work":"bundled","operations":["debit"],"attempts":1},{"branch":"2","participant":"ledger-west","work":"bundled","operations":["credit"],"attempts":1}]',
          '[{"sequence":1,"atMs":${AT_MS},"type":"begun","detail":{"timeoutMs":10000}},{"sequence":2,"atMs":${AT_MS},"type":"enlisted","branch":"1","participant":"ledger-east"},{"sequence":3,"atMs":${AT_MS},"type":"enlisted","branch":"2","participant":"ledger-west"}]', 3
     FROM generate_series(1, ${TRANSACTIONS}) n`,
  `INSERT INTO concordat.journal_participant
   SELECT name, ${NUMBERED} FROM generate_series(1, ${TRANSACTIONS}) n, unnest(ARRAY['ledger-east', 'ledger-west']) name`,
  'ANALYZE concordat.decision',
  'ANALYZE concordat.journal',
];

describe('A log of a million transactions', () => {
  let stage: DecisionLogStage;

  beforeAll(async () => {
    stage = await DecisionLogStage.open();
  });

  afterAll(() => stage.close());

  it('is migrated while every decision passes within a second', async () => {
    const url = await stage.database();
    await earlierSchema(url);
    const [filler, decider, writer] = [
      await stage.dba(url),
      await stage.dba(url),
      await stage.dba(url),
    ];
    for (const statement of FILL) await filler.query(statement);

    const isOver = new AbortController();
    const decisions = whileItLasts(isOver.signal, () => decide(decider));
    const notes = whileItLasts(isOver.signal, () => lookAtHistory(writer));
    await waitFor(() => decisions.count() > 20, { what: 'decisions to be made' });
    const beganAt = performance.now();
    const log = await stage.log(url);
    const tookMs = performance.now() - beganAt;
    isOver.abort();
    const [longestDecision, longestNote] = [await decisions.longestMs, await notes.longestMs];

    process.stdout.write(
      `${TRANSACTIONS} transactions migrated in ${(tookMs / 1_000).toFixed(1)} s: ${decisions.count()} decisions meanwhile, ` +
        `the slowest in ${longestDecision.toFixed(0)} ms; the history was locked for ${(longestNote / 1_000).toFixed(1)} s\n`,
    );
    expect(longestDecision).toBeLessThan(DECIDED_WITHIN_MS);
    expect(longestNote).toBeLessThanOrEqual(tookMs);
    await stage.shut(log);
  });

  async function decide(dba: pg.Client): Promise<void> {
    await dba.query(
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches) VALUES ($1, 'commit', $2, '[]')`,
      [earlierId(), GONE],
    );
  }

  async function lookAtHistory(dba: pg.Client): Promise<void> {
    await dba.query('SELECT FROM concordat.journal LIMIT 1');
  }
});

/** Repeats what is asked, one after another, until the end is signalled. */
function whileItLasts(
  isOver: AbortSignal,
  ask: () => Promise<void>,
): { readonly longestMs: Promise<number>; count(): number } {
  let count = 0;
  async function run(): Promise<number> {
    let longest = 0;
    while (!isOver.aborted) {
      const from = performance.now();
      await ask();
      longest = Math.max(longest, performance.now() - from);
      count += 1;
    }
    return longest;
  }
  return { longestMs: run(), count: () => count };
}
