/**
 * A participant without a framework, at a coordinator that says what the test says, on a real
 * Postgres and a real broker: what it does by itself, unasked.
 */
import {
  createParticipant,
  type ParticipantOptions,
  type StandaloneParticipant,
} from '@concordat/participant';
import type { ClusterId, TransactionId } from '@concordat/protocol';
import { embeddedStack, waitFor, type TestStack } from '@concordat/testing';
import pg from 'pg';
import { ScriptedCoordinator } from '../../libs/participant/src/nest/scripted-coordinator.spec-support.js';
import { NATS } from '../faults/proxy/nats-frames.js';
import { startProxy } from '../faults/proxy/tcp-proxy.js';

const NAME = 'counters';
const AN_HOUR_MS = 3_600_000;

describe('A participant', () => {
  let stack: TestStack;
  let coordinator: ScriptedCoordinator;
  let db: pg.Pool;
  let participant: StandaloneParticipant | undefined;

  beforeAll(async () => {
    stack = await embeddedStack();
    db = new pg.Pool({ connectionString: stack.databases.ledger_east, max: 2 });
    await db.query('CREATE TABLE counter (by text PRIMARY KEY)');
    coordinator = await ScriptedCoordinator.start(stack.nats.url, 'sol0spec' as ClusterId);
  }, 90_000);

  afterEach(() => participant?.stop());

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
});
