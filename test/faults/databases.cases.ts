/**
 * S16, S17, S22 to S26, S30, S31: what databases and those who administer them do to a transaction. An answer
 * that was lost is unknown; a manual change is reported.
 */
import { waitFor } from '@concordat/testing';
import { on, type Case, type Step } from '../cases/case.js';
import { command, inquiry, vote } from '../cases/commands.js';
import { DEADLINE_MS, branchOf } from '../cases/stage.js';
import { another, answered, kill, lift, step, stillIn } from '../cases/steps.js';
import { completion, statement, type Predicate } from './proxy/frame.js';
import { freeSlots, takeSlots } from './stage/plant.js';

const INSERT = /INSERT INTO concordat\.decision/;

/** However often it is sent to the west. */
const everyOne = (verb: 'commit' | 'abort') =>
  on(
    'coordinator',
    'broker',
    `every ${verb} for the west`,
    [command(verb, 'ledger-west'), 'hold'],
    {
      times: Infinity,
    },
  );

const noInquiry = on('ledger-west', 'broker', 'its inquiries', [inquiry, 'drop']);

const RETRIES = 'concordat_register_retries_total';
const countsRetries = step('the retries of the register are counted', async (run) => {
  run.notes.set(RETRIES, await run.stage.metric(RETRIES));
});
const wasReadAgain = step('the register was asked again', async (run) => {
  await run.answered();
  expect(await run.stage.metric(RETRIES)).toBeGreaterThan(Number(run.notes.get(RETRIES)));
});

const killBackend = step('a backend of the west is killed', async ({ product }) => {
  const [backend] = await product.sql<{ pid: number }>(
    'superuser',
    `SELECT pid FROM pg_stat_activity WHERE datname = 'ledger_west' LIMIT 1`,
  );
  process.kill(backend?.pid as number, 'SIGKILL');
  await waitFor(() => /all server processes terminated/.test(product.stack.postgres.output()), {
    what: 'the server to restart its processes',
  });
});

const commitsAgain = step('a transfer commits again', async (run) => {
  await run.stage.untilNothingInDoubt();
  await waitFor(async () => (await run.stage.post()).status === 200, {
    what: 'a transfer to commit again',
  });
});

/** A manual change of the branch that is prepared in the west. */
const byHand = (verb: 'ROLLBACK' | 'COMMIT'): Step =>
  step(`a DBA says ${verb} PREPARED in the west`, async ({ stage }) => {
    const { gid } = (await stage.prepared()).find((one) => one.database === 'ledger_west') ?? {};
    await stage.sql('ledger-west', `${verb} PREPARED '${String(gid)}'`);
  });

/** How each branch ended, as its client sees it. */
const outcomes = (says: string, west: object, east: object): Step =>
  step(says, async ({ stage, id, row }) => {
    const seen = await waitFor(
      async () => {
        const { body } = await stage.get(id);
        const isReported = String(body['status']) === 'heuristic-mixed';
        return isReported && 'outcome' in branchOf(body, 'ledger-east') ? body : undefined;
      },
      { what: 'the damage to be reported, and the east to have ended' },
    );
    expect(seen).toMatchObject({ decision: row.hears });
    expect(branchOf(seen, 'ledger-west')).toMatchObject({ outcome: west });
    expect(branchOf(seen, 'ledger-east')).toMatchObject({ outcome: east });
  });

const isCounted = step('the heuristic is counted', async ({ stage }) => {
  expect(await stage.metric('concordat_heuristics_unresolved')).toBeGreaterThan(0);
});

const westRemembers = (kind: string | undefined): Step =>
  step(`the west remembers ${kind ?? 'nothing'}`, async ({ stage, id }) => {
    expect(await stage.outcomeRow('ledger-west', id)).toBe(kind);
  });

/** A deferred trigger that fails at PREPARE with a SQLSTATE of the case's choice. */
const refuseLate = (state: string): Step =>
  step(`a trigger of the west fails with ${state} at PREPARE`, ({ stage }) =>
    stage.sql(
      'ledger-west',
      `CREATE OR REPLACE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'refused at the end' USING ERRCODE = TG_ARGV[0]; END $$;
       CREATE CONSTRAINT TRIGGER refuse_late AFTER UPDATE ON account DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION refuse_late('${state}')`,
    ),
  );

const noTrigger = step('the trigger is dropped', ({ stage }) =>
  stage.sql('ledger-west', 'DROP TRIGGER IF EXISTS refuse_late ON account'),
);

const refusedAt = (state: string, code: string, retryable: boolean): Case => ({
  name: `S26: ${state} at PREPARE is a no with its reason`,
  faults: [],
  sends: 'transfer',
  first: [refuseLate(state)],
  last: [noTrigger],
  hears: 'abort',
  answer: { retryable, cause: { kind: 'vote', participant: 'ledger-west', code, retryable } },
  ends: 'abort',
});

const rollbackOfNothing: Predicate = ({ from, kind, about, text }) =>
  from === 'server' && kind === 'E' && /^ROLLBACK PREPARED/.test(about) && /42704/.test(text);

const allSlotsAreTaken = step('others take every slot', async ({ stage, notes }) => {
  notes.set('theirs', await takeSlots(stage));
});
const theirsAreThere = step('theirs are left alone, and then given back', async (run) => {
  const theirs = run.notes.get('theirs') as string[];
  expect(await run.stage.completed(run.id)).toMatchObject({ status: 'aborted' });
  expect((await run.stage.prepared()).map(({ gid }) => gid)).toEqual(theirs);
  await freeSlots(run.stage, theirs);
});

const triedMoreThanOnce = step('its commit was asked for again', async ({ stage, id }) => {
  const { body } = await stage.get(id, '?wait=30s&until=completed');
  expect(Number(branchOf(body, 'ledger-west')['attempts'])).toBeGreaterThan(1);
});

const asAStranger = step(
  'the west is started as another role, and says what it cannot finish',
  async (run) => {
    const { postgres } = run.product.stack;
    await postgres.createDatabase('stranger');
    await run.stage.asSuperuser(
      'ledger_west',
      'GRANT CONNECT ON DATABASE ledger_west TO stranger; GRANT ledger_west TO stranger WITH INHERIT TRUE, SET FALSE',
    );
    const { database } = run.stage.wire('ledger-west');
    await run.product.startService('ledger-west', {
      env: { DATABASE_URL: database.inFrontOf(postgres.url('ledger_west', 'stranger')) },
      said: 'was prepared by role ledger_west',
    });
  },
);

const onlyTheEastIsDone = step('the east is committed, the west is not', async ({ stage, id }) => {
  await waitFor(
    async () => branchOf((await stage.get(id)).body, 'ledger-east')['outcome'] !== undefined,
    { what: 'the east to be committed' },
  );
  const { body } = await stage.get(id);
  expect(branchOf(body, 'ledger-west')['outcome']).toBeUndefined();
  expect(await stage.standing(id)).toBe('commit');
});

const asItself = step('the west is started again as itself', ({ product }) =>
  product.restart('ledger-west'),
);

export const DATABASES: readonly Case[] = [
  {
    name: 'S16: a decision whose answer is lost is read again, not guessed, and final',
    faults: [on('coordinator', 'database', 'its answer', [completion(INSERT), 'cut-before'])],
    sends: 'transfer',
    first: [countsRetries],
    then: [wasReadAgain],
    hears: 'commit',
    answer: { decision: 'commit' },
    ends: 'commit',
  },
  {
    name: 'S16: a decision that never reached the register is proposed again',
    faults: [on('coordinator', 'database', 'the commit', [statement(INSERT), 'cut-before'])],
    sends: 'transfer',
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S17: a backend killed by the kernel restarts the whole server, and everything goes on by itself',
    faults: [
      on('coordinator', 'broker', 'both commits', [command('commit'), 'hold'], {
        times: 2,
        hits: 2,
      }),
    ],
    sends: 'transfer',
    then: [answered, killBackend, lift('both commits'), commitsAgain],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S22: when every slot is taken by others, the vote is a no that may be tried again, and theirs are left alone',
    faults: [],
    sends: 'transfer',
    first: [allSlotsAreTaken],
    then: [answered, theirsAreThere, another],
    hears: 'abort',
    answer: { retryable: true, cause: { kind: 'vote' } },
    ends: 'abort',
  },
  {
    name: 'S23: a branch that a DBA rolled back before its commit makes its transaction heuristic, never committed',
    faults: [everyOne('commit'), noInquiry],
    sends: 'transfer',
    then: [
      answered,
      byHand('ROLLBACK'),
      lift('every commit for the west', 'its inquiries'),
      outcomes(
        'the west is reported as missing, the east as committed',
        { kind: 'heuristic', evidence: { decision: 'commit', found: 'missing' } },
        { kind: 'committed' },
      ),
      westRemembers(undefined),
    ],
    hears: 'commit',
    ends: 'heuristic',
  },
  {
    name: 'S24: a branch that a DBA committed against the decision makes its transaction heuristic',
    faults: [
      on('ledger-west', 'broker', 'the vote', [vote, 'drop'], { times: 1 }),
      everyOne('abort'),
      noInquiry,
    ],
    sends: 'transfer',
    timeoutMs: DEADLINE_MS,
    then: [
      answered,
      byHand('COMMIT'),
      lift('every abort for the west', 'its inquiries'),
      outcomes(
        'the west is reported as committed, the east as aborted',
        { kind: 'heuristic', evidence: { decision: 'abort', found: 'committed' } },
        { kind: 'aborted' },
      ),
      isCounted,
    ],
    hears: 'abort',
    ends: 'heuristic',
  },
  refusedAt('40001', 'SERIALIZATION_FAILURE', true),
  refusedAt('23514', 'CONSTRAINT_VIOLATED', false),
  refusedAt('P0001', 'RAISED_BY_DATABASE', false),
  refusedAt('58030', 'RESOURCE_FAULT', false),
  {
    name: 'S25: the abort of a branch whose PREPARE failed finds nothing, and that is not heuristic',
    faults: [
      on('ledger-west', 'database', 'ROLLBACK PREPARED of nothing', [rollbackOfNothing, 'watch'], {
        hits: 1,
      }),
    ],
    sends: 'transfer',
    first: [refuseLate('23514')],
    then: [
      answered,
      step('the branch of the west is aborted', async ({ stage, id }) => {
        const body = await stage.completed(id);
        expect(branchOf(body, 'ledger-west')).toMatchObject({ outcome: { kind: 'aborted' } });
      }),
    ],
    last: [noTrigger],
    hears: 'abort',
    ends: 'abort',
  },
  {
    name: 'S31: a connection cut after COMMIT PREPARED is answered by the outcome row',
    faults: [
      on('ledger-west', 'database', 'its answer', [completion(/^COMMIT PREPARED/), 'cut-before']),
    ],
    sends: 'transfer',
    then: [answered, triedMoreThanOnce],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S31: a connection cut before COMMIT PREPARED is tried again',
    faults: [
      on('ledger-west', 'database', 'the commit', [statement(/^COMMIT PREPARED/), 'cut-before']),
    ],
    sends: 'transfer',
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S31: a connection cut after PREPARE TRANSACTION is a no, and what it left prepared is rolled back',
    faults: [
      on('ledger-west', 'database', 'its answer', [
        completion(/^PREPARE TRANSACTION/),
        'cut-before',
      ]),
    ],
    sends: 'transfer',
    hears: 'abort',
    answer: { cause: { kind: 'vote', participant: 'ledger-west' } },
    ends: 'abort',
  },
  {
    name: 'S30: a participant started as another role says what only that one can finish, and delays no other',
    faults: [
      on('coordinator', 'broker', 'the commit', [command('commit', 'ledger-west'), 'drop']),
      noInquiry,
    ],
    sends: 'transfer',
    then: [
      answered,
      kill('ledger-west'),
      asAStranger,
      onlyTheEastIsDone,
      stillIn('ledger_west'),
      lift('the commit', 'its inquiries'),
      asItself,
    ],
    hears: 'commit',
    ends: 'commit',
  },
];
