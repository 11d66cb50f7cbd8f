/** A participant that is configured for a cluster of which no coordinator is on its broker. */
import { createParticipant, type StandaloneParticipant } from '@concordat/participant';
import type { ClusterId } from '@concordat/protocol';
import { embeddedStack, waitFor, type TestStack } from '@concordat/testing';
import { ScriptedCoordinator } from '../../libs/participant/src/nest/scripted-coordinator.spec-support.js';

describe('A participant that is configured for a cluster', () => {
  let stack: TestStack;
  let coordinator: ScriptedCoordinator;
  let participant: StandaloneParticipant | undefined;
  let errors: string[];

  beforeAll(async () => {
    stack = await embeddedStack();
    coordinator = await ScriptedCoordinator.start(stack.nats.url, 'served00' as ClusterId);
  }, 90_000);

  afterEach(() => participant?.stop());

  afterAll(async () => {
    await coordinator.stop();
    await stack.dispose();
  });

  async function listening(cluster: string): Promise<void> {
    errors = [];
    participant = createParticipant({
      ...{ name: 'shop', natsUrl: stack.nats.url, cluster },
      database: { url: stack.databases.ledger_east },
      operations: [{ name: 'nothing', run: () => undefined }],
      log: {
        log: () => undefined,
        warn: () => undefined,
        error: (message) => errors.push(message),
      },
    });
    await participant.start();
    await participant.ready();
  }

  it('says which clusters answer where that one does not', async () => {
    await listening('mistaken');
    await waitFor(() => errors.length > 0, { what: 'the error that names the clusters' });
    expect(errors).toEqual([
      expect.stringContaining('for cluster mistaken, but only coordinators of served00 answer'),
    ]);
  });

  it('votes, and says nothing, where a coordinator of it answers', async () => {
    await listening('served00');
    const transaction = coordinator.begin();
    const call = [{ name: 'nothing', input: {} }];
    const { vote } = await coordinator.prepare('shop', transaction, call);
    expect({ vote, errors }).toEqual({ vote: { kind: 'read-only' }, errors: [] });
  });
});
