/**
 * A participant without a framework, at a coordinator that says what the test says, on a real
 * Postgres and a real broker: what it does by itself, unasked.
 */
import {
  JoinRefused,
  SystemClock,
  VoteNo,
  createParticipant,
  type Branch,
  type OperationDefinition,
  type ParticipantOptions,
  type StandaloneParticipant,
} from '@concordat/participant';
import {
  NoCode,
  type ClusterId,
  type TransactionId,
  type Vote,
  type VoteAgainst,
} from '@concordat/protocol';
import { embeddedStack, waitFor, type TestStack } from '@concordat/testing';
import { EventEmitter } from 'node:events';
import pg from 'pg';
import { ScriptedCoordinator } from '../../libs/participant/src/nest/scripted-coordinator.spec-support.js';
import { NATS } from '../faults/proxy/nats-frames.js';
import { startProxy } from '../faults/proxy/tcp-proxy.js';

const NAME = 'counters';
const AN_HOUR_MS = 3_600_000;
const PATIENCE_MS = 5_000;

/** Real time, but for what happens every ten seconds or more: that happens when the test says so. */
class LongTimers extends SystemClock {
  private readonly waiting = new Map<() => void, number>();

  override after(ms: number, task: () => void): () => void {
    if (ms < 10_000 || ms >= AN_HOUR_MS) return super.after(ms, task);
    this.waiting.set(task, ms);
    return () => void this.waiting.delete(task);
  }

  /** Lets a minute pass for them; resolves when what happens periodically has its next timer. */
  async minute(): Promise<void> {
    const armed = this.waiting.size;
    for (const [task, ms] of [...this.waiting]) {
      if (ms > 60_000) continue;
      this.waiting.delete(task);
      task();
    }
    await waitFor(() => this.waiting.size >= armed, { what: 'the periodic work to be done' });
  }
}

describe('A participant', () => {
  let stack: TestStack;
  let coordinator: ScriptedCoordinator;
  let db: pg.Pool;
  let participant: StandaloneParticipant | undefined;

  beforeAll(async () => {
    stack = await embeddedStack();
    db = new pg.Pool({ connectionString: stack.databases.ledger_east, max: 2 });
    db.on('error', () => undefined);
    await db.query('CREATE TABLE counter (by text PRIMARY KEY)');
    coordinator = await ScriptedCoordinator.start(stack.nats.url, 'sol0spec' as ClusterId);
  }, 90_000);

  afterEach(async () => {
    await participant?.stop();
    coordinator.timeLeftMs = PATIENCE_MS;
  });

  afterAll(async () => {
    await coordinator.stop();
    await db.end();
    await stack.dispose();
  });

  async function start(options: Partial<ParticipantOptions>): Promise<void> {
    participant = createParticipant({
      name: NAME,
      natsUrl: stack.nats.url,
      cluster: coordinator.cluster,
      database: { url: stack.databases.ledger_east },
      // Nothing happens by the clock but what a test asks for.
      resolvePeriodMs: AN_HOUR_MS,
      operations: [
        {
          name: 'count',
          run: async (_input, branch) => {
            await branch.client.query('INSERT INTO counter VALUES ($1)', [branch.transaction]);
          },
        },
      ],
      ...options,
    });
    await participant.start();
    await participant.ready();
  }

  async function prepared(): Promise<TransactionId> {
    const transaction = coordinator.begin();
    const call = [{ name: 'count', input: {} }];
    const { vote } = await coordinator.prepare(NAME, transaction, call);
    expect(vote).toEqual({ kind: 'prepared' });
    return transaction;
  }

  const isCounted = async (transaction: TransactionId): Promise<boolean> =>
    (await db.query('SELECT 1 FROM counter WHERE by = $1', [transaction])).rowCount === 1;
  const outcomes = async (): Promise<string[]> => {
    const { rows } = await db.query<{ transaction: string }>(
      'SELECT transaction FROM concordat_branch ORDER BY transaction',
    );
    return rows.map((one) => one.transaction);
  };

  it('asks for what it has in doubt as soon as its broker connection is back', async () => {
    const wire = await startProxy(NATS, 'participant, broker');
    try {
      await start({ natsUrl: wire.inFrontOf(stack.nats.url) });
      const transaction = await prepared();
      coordinator.decisions.set(transaction, 'commit');
      wire.cutAll();
      await waitFor(() => isCounted(transaction), { what: 'the commit that it asks for' });
    } finally {
      await participant?.stop();
      await wire.close();
    }
  });

  it('asks for what it has in doubt when a coordinator says that it is there', async () => {
    await start({});
    const transaction = await prepared();
    coordinator.decisions.set(transaction, 'commit');
    await coordinator.goAway();
    await coordinator.comeUp();
    await waitFor(() => isCounted(transaction), { what: 'the commit that it asks for' });
  });

  it('recovers, and says that it is ready, though its process leaves JSON as text', async () => {
    const parse = pg.types.getTypeParser(114);
    pg.types.setTypeParser(114, (text) => text);
    try {
      await start({});
      const transaction = await prepared();
      coordinator.decisions.set(transaction, 'commit');
      await participant?.resolveNow();
      expect(await isCounted(transaction)).toBe(true);
      expect(await participant?.readiness()).toEqual({ ready: true, reasons: [] });
    } finally {
      pg.types.setTypeParser(114, parse);
    }
  });

  it('is not ready while its recovery fails, says since when, and is once it succeeds', async () => {
    await start({ resolvePeriodMs: 50 });
    const reasons = async (): Promise<string> =>
      (await participant!.readiness()).reasons.join('; ');
    const before = Date.now();
    await stack.postgres.stop();
    let said = '';
    await waitFor(async () => (said = await reasons()).includes('recovery has failed since'), {
      what: 'the reason that recovery fails',
    });
    const since = Date.parse(/recovery has failed since (\S+Z): ./.exec(said)?.[1] ?? '');
    expect(since).toBeGreaterThanOrEqual(before);
    expect(since).toBeLessThanOrEqual(Date.now());
    await stack.postgres.start();
    await waitFor(async () => (await reasons()) === '', { what: 'it to be ready again' });
  });

  describe('beside probes that processes left prepared at their start', () => {
    const gidOf = (name: string) => `cc:${coordinator.cluster}:probe-${name}`;
    let clock: LongTimers;

    beforeEach(() => {
      clock = new LongTimers();
    });

    async function prepare(url: string, gid: string): Promise<void> {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('BEGIN; SELECT pg_current_xact_id()');
      await client.query(`PREPARE TRANSACTION '${gid}'`);
      await client.end();
    }

    const left = async (): Promise<string[]> => {
      const { rows } = await db.query<{ gid: string }>(
        'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()',
      );
      return rows.map(({ gid }) => gid);
    };

    it('rolls them back while it runs, without a restart', async () => {
      await start({ clock });
      await prepare(stack.databases.ledger_east, gidOf('running1'));
      await participant?.resolveNow(); // It has seen since that a slot is taken.
      const report = await participant?.inspect();
      expect(report?.['probes']).toEqual([
        {
          gid: gidOf('running1'),
          owner: 'ledger_east',
          ageMs: expect.any(Number),
          about: expect.stringMatching(/probe of a start-up check.*holds a prepared slot/),
        },
      ]);
      await clock.minute();
      expect(await left()).toEqual([]);
      await participant?.resolveNow();
      expect(await participant?.inspect()).not.toHaveProperty('probes');
    });

    it('leaves those of another role, and says once whose they are', async () => {
      await stack.postgres.createDatabase('stranger');
      await asSuperuser('GRANT CONNECT ON DATABASE ledger_east TO stranger');
      const gid = gidOf('alien001');
      await prepare(stack.postgres.url('ledger_east', 'stranger'), gid);
      const warnings: string[] = [];
      const warn = (line: string) => void warnings.push(line);
      await start({ clock, log: { log: () => undefined, warn, error: () => undefined } });
      const told = () => warnings.filter((line) => line.startsWith('the probe'));
      await clock.minute();
      await clock.minute();
      expect(warnings).toContainEqual(
        expect.stringMatching(/^left-probe: .*role stranger prepared it/),
      );
      expect(told()).toEqual([
        `the probe ${gid} of a start-up check was left prepared by role stranger, and this role may not roll it back`,
      ]);
      expect(await left()).toEqual([gid]);
      const { errors } = (await participant!.inspect()) as { errors: { message: string }[] };
      expect(errors[0]?.message).toMatch(/role stranger/);
      await asSuperuser(`ROLLBACK PREPARED '${gid}'`);
    });

    async function asSuperuser(text: string): Promise<void> {
      const dba = new pg.Client({ connectionString: stack.postgres.url('ledger_east') });
      await dba.connect();
      await dba.query(text);
      await dba.end();
    }
  });

  describe('with outcomes past retention', () => {
    const often = { prunePeriodMs: 20, retentionMs: 0 };

    it('forgets those below the coordinators’ mark, and keeps those above it', async () => {
      const [old, held, young] = [await endedHere(), await endedHere('abort'), await endedHere()];
      coordinator.lowWaterMark = async () => held;
      await start(often);
      await waitFor(async () => !(await outcomes()).includes(old), { what: 'the old to go' });
      expect(await outcomes()).toEqual([held, young]);
    });

    it('forgets nothing while no coordinator answers', async () => {
      const kept = await endedHere();
      let asked = 0;
      let end: () => void = () => undefined;
      const ended = new Promise<void>((resolve) => (end = resolve));
      coordinator.lowWaterMark = async () => {
        asked += 1;
        await ended;
        return kept;
      };
      await start(often);
      await waitFor(() => asked >= 2, { what: 'a second question, after a first without answer' });
      expect(await outcomes()).toContain(kept);
      await participant?.stop();
      end();
    });

    /** A transaction that has ended here, under a participant that forgets nothing. */
    async function endedHere(decision: 'commit' | 'abort' = 'commit'): Promise<TransactionId> {
      await start({});
      const transaction = await prepared();
      await coordinator.finish(NAME, transaction, decision);
      await participant?.stop();
      return transaction;
    }
  });

  describe('says why it votes no, to its client in a word and to its log in the server’s', () => {
    let lines: string[];
    let begun: () => void;
    let goOn: () => void;
    let atWork: Promise<void>;
    let told: Promise<void>;

    beforeEach(() => {
      lines = [];
      atWork = new Promise((resolve) => (begun = resolve));
      told = new Promise((resolve) => (goOn = resolve));
    });

    const say = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
    const log = { log: say('log'), warn: say('warn'), error: say('error') };
    const loud = () =>
      lines.filter((line) => !/^(log .* takes part in|warn (version|fsync|pool):)/.test(line));

    /** An operation that does something else, and comes back to its branch on command. */
    const slow: OperationDefinition = {
      name: 'slow',
      run: async (_input, branch) => {
        begun();
        await told;
        await branch.client.query('SELECT 1');
      },
    };
    const sql = (name: string, text: string): OperationDefinition => ({
      name,
      run: async (_input, { client }) => void (await client.query(text)),
    });
    const startWith = (...operations: OperationDefinition[]) => start({ log, operations });

    function vote(name: string, transaction = coordinator.begin()): Promise<Vote> {
      return coordinator
        .prepare(NAME, transaction, [{ name, input: {} }])
        .then((answer) => answer.vote);
    }

    it('when a lock is held for longer than its time: by whom, and nothing of lost connections', async () => {
      await startWith(sql('hot', `INSERT INTO counter VALUES ('hot')`));
      const holder = await db.connect();
      await holder.query(
        `BEGIN; SET LOCAL application_name = 'a DBA'; INSERT INTO counter VALUES ('hot')`,
      );
      coordinator.timeLeftMs = 1_000;
      const said = await vote('hot');
      await holder.query('ROLLBACK');
      holder.release();
      // The index is in the server's words, which are read in English only.
      const { rows } = await db.query<{ lc_messages: string }>('SHOW lc_messages');
      const index = /^(C|en)/.test(rows[0]?.lc_messages ?? '') ? 'counter_pkey; ' : '';
      const held = `${index}it is held by session \\d+ \\(a DBA\\)`;
      const reason = expect.stringMatching(held) as string;
      expect(said).toMatchObject({ code: 'LOCK_TIMEOUT', retryable: true, reason });
      await waitFor(() => loud().length > 0, { what: 'the line' });
      expect(loud()).toEqual([expect.stringMatching(`^warn .*LOCK_TIMEOUT.*${held}`)]);
    });

    it('when code in its database raises: the client gets a code, the log the words', async () => {
      await startWith(
        sql(
          'raise',
          `DO $$ BEGIN RAISE EXCEPTION 'alice is short of 42' USING ERRCODE = 'U0042'; END $$`,
        ),
      );
      const said = await vote('raise');
      expect(said).toMatchObject({ code: 'RAISED_BY_DATABASE', details: { sqlstate: 'U0042' } });
      expect(JSON.stringify(said)).not.toMatch(/alice/);
      expect(loud()).toEqual([
        expect.stringMatching(/^warn .*said: ERROR U0042: alice is short of 42/),
      ]);
    });

    it('when a statement is wrong: the stack is in the log', async () => {
      await startWith(sql('wrong', 'SELECT nothing_of_this_name'));
      expect(await vote('wrong')).toMatchObject({ code: 'HANDLER_FAILED', retryable: false });
      expect(loud()).toEqual([expect.stringMatching(/^error .*nothing_of_this_name[^]*\n +at /)]);
    });

    it('when its database refuses a branch before any operation: the log says what it said', async () => {
      const pool = new pg.Pool({ connectionString: stack.databases.ledger_east, max: 2 });
      await start({ log, database: { pool }, operations: [slow] });
      const rotated = Object.assign(new URL(stack.databases.ledger_east), { password: 'rotated' });
      Object.assign(pool.options, { connectionString: rotated.href });
      while (pool.idleCount > 0) (await pool.connect()).release(true);
      expect(await vote('slow')).toMatchObject({ code: 'RESOURCE_FAULT', retryable: false });
      expect(loud()).toEqual([expect.stringMatching(/^error .*The server said: FATAL 28P01: ./)]);
      await participant?.stop();
      await pool.end();
    });

    it('when the library itself fails: a code of its own, and the stack in the log', async () => {
      const pool = new pg.Pool({ connectionString: stack.databases.ledger_east, max: 2 });
      await start({ log, database: { pool }, operations: [slow] });
      const query = () => {
        throw new TypeError('a bug for alice');
      };
      const broken = Object.assign(new EventEmitter(), { query, release: () => undefined });
      Object.assign(pool, { connect: () => Promise.resolve(broken) });
      const said = await vote('slow');
      expect(said).toMatchObject({ code: 'INTERNAL_ERROR', retryable: false });
      expect(JSON.stringify(said)).not.toMatch(/alice/);
      expect(loud()).toEqual([
        expect.stringMatching(/^error .*library failed[^]*alice[^]*\n +at /),
      ]);
      await participant?.stop();
      await pool.end();
    });

    it.each([
      ['an abort', 'log', 'ALREADY_FINISHED'],
      ['its deadline', 'warn', 'DEADLINE_PASSED'],
      ['its lost connection', 'warn', 'RESOURCE_UNAVAILABLE'],
    ])(
      'when %s ended it under an operation: one line at level %s, and no reproach',
      async (cause, level, code) => {
        await startWith(slow);
        const transaction = coordinator.begin();
        if (cause === 'its deadline') coordinator.timeLeftMs = 300;
        const voting = vote('slow', transaction).catch((error: Error) => error);
        await atWork;
        if (cause === 'an abort') await coordinator.finish(NAME, transaction, 'abort');
        if (cause === 'its lost connection') {
          await db.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE starts_with(application_name, $1) AND state = 'idle in transaction'`,
            [NAME],
          );
        }
        if (cause !== 'its lost connection') await voting;
        // On a busy machine the answer is given up before the time here is over.
        if (cause === 'its deadline') await waitFor(() => loud().length > 0, { what: 'the end' });
        goOn();
        const said = await voting;
        if (cause === 'its lost connection') expect(said).toMatchObject({ code });
        await waitFor(() => loud().length > 0, { what: 'the line' });
        await participant?.stop();
        expect(loud()).toEqual([expect.stringMatching(new RegExp(`^${level} .*${code}`))]);
        expect(lines.join()).not.toMatch(/await every query|\n +at /);
      },
    );

    it.each<[string, unknown]>([
      ['a bigint', { amount: 10n }],
      ['no number', { amount: Number.NaN }],
      ['a function', { fetch: () => 1 }],
      ['a cycle', undefined],
      ['a toJSON that throws', { toJSON: () => JSON.parse('{') as unknown }],
      ['two megabytes', { text: 'x'.repeat(2_000_000) }],
    ])('with %s among the details: code and reason stay, details go', async (what, given) => {
      const details: Record<string, unknown> = { given };
      if (what === 'a cycle') details['given'] = details;
      await startWith({
        name: 'refuse',
        run: () => {
          throw new VoteNo('BAD_NAME', details, { reason: 'it is bad', retryable: true });
        },
      });
      expect(await vote('refuse')).toEqual({
        ...{ kind: 'no', code: 'BAD_NAME', reason: 'it is bad', retryable: true },
      });
      expect(loud()).toEqual([
        expect.stringMatching(/^warn .*details of vote BAD_NAME .* dropped/),
      ]);
    });

    describe('with two sessions that open branches hold', () => {
      const held: TransactionId[] = [];

      beforeEach(async () => {
        await start({ log, operations: [sql('look', 'SELECT 1')], sessionsMax: 2, inDoubtMax: 8 });
        held.length = 0;
        for (let n = 0; n < 2; n++) {
          const transaction = coordinator.begin();
          held.push(transaction);
          const call = [{ name: 'look', input: {} }];
          expect(await coordinator.work(NAME, transaction, call)).toMatchObject({ kind: 'done' });
        }
      });

      afterEach(async () => {
        for (const transaction of held) await coordinator.finish(NAME, transaction, 'abort');
      });

      it('lets a third wait until one of them has voted', async () => {
        const third = vote('look');
        expect((await coordinator.prepare(NAME, held[0] as TransactionId)).vote.kind).toBe(
          'read-only',
        );
        expect(await third).toEqual({ kind: 'read-only' });
      });

      it('says that sessions were short, in time, and not that anything is in doubt', async () => {
        coordinator.timeLeftMs = 600;
        const said = (await vote('look')) as VoteAgainst;
        expect(said).toMatchObject({ code: NoCode.sessionsBusy, retryable: true });
        expect(said.reason).toMatch(/No session came free within [\d.]+ m?s: 2 branches/);
        expect(loud()).toEqual([expect.stringMatching(/^warn .*turned away, SESSIONS_BUSY/)]);
      });

      it('answers a direct call the same, and says whether a retry helps', async () => {
        coordinator.timeLeftMs = 600;
        const body = async (_branch: Branch) => 'done';
        const refused = await participant
          ?.join(coordinator.begin(), body)
          .catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(JoinRefused);
        expect((refused as JoinRefused).vote).toMatchObject({
          code: 'SESSIONS_BUSY',
          retryable: true,
        });
      });
    });
  });
});
