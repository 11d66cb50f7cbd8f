/**
 * The broker's permissions as docs/wire-protocol.md prints them, on a broker started with exactly
 * that text: everything the protocol needs works, and every user is tried on every subject. This is
 * what makes the reply subject of an answer a proof of who answered.
 */
import { connect } from '@nats-io/transport-node';
import { PermissionViolationError, type NatsConnection } from '@nats-io/nats-core';
import {
  connectChannel,
  discoverCluster,
  NatsCoordinatorChannel,
  NatsParticipantChannel,
  NotPermitted,
  serveCoordinator,
  serveParticipant,
  Subjects,
  type ChannelConnection,
} from '@concordat/channel';
import type { ClusterId, ParticipantName } from '@concordat/protocol';
import { startNats, waitFor, type NatsServer } from '@concordat/testing';
import { readFileSync } from 'node:fs';
import {
  EAST,
  finishRequest,
  FIRST,
  gate,
  instanceId,
  newTransaction,
  OWNER,
  WEST,
} from './channel-stage.js';

const page = readFileSync(new URL('../../docs/wire-protocol.md', import.meta.url), 'utf8');
const printed = /```conf\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
const cluster = 'c4f8w2nb' as ClusterId;
const subjects = new Subjects(cluster);
const USERS = ['coordinator', 'coordinator-answers', EAST, WEST] as const;
type User = (typeof USERS)[number];
const VARIABLES: Record<User, string> = {
  coordinator: 'COORDINATOR_PASSWORD',
  'coordinator-answers': 'ANSWERS_PASSWORD',
  [EAST]: 'EAST_PASSWORD',
  [WEST]: 'WEST_PASSWORD',
} as Record<User, string>;
const passwordOf = (user: User): string => `secret-of-${user}`;

let broker: NatsServer;
const opened: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  const passwords = USERS.map((user) => `${VARIABLES[user]}: "${passwordOf(user)}"`);
  broker = await startNats({ config: [...passwords, printed].join('\n') });
});
afterEach(async () => {
  await Promise.allSettled(opened.splice(0).map((one) => one.close()));
});
afterAll(async () => {
  await broker.dispose();
});

async function as(user: User): Promise<ChannelConnection> {
  const servers = broker.url.replace('//', `//${user}:${passwordOf(user)}@`);
  const connection = await connectChannel({ servers, name: user, firstConnectMs: 5_000 });
  opened.push(connection);
  return connection;
}

async function bareAs(user: User): Promise<NatsConnection> {
  const nats = await connect({ servers: broker.url, user, pass: passwordOf(user) });
  opened.push(nats);
  return nats;
}

const participantOf = async (name: ParticipantName & User) => {
  const connection = await as(name);
  await serveParticipant(connection, {
    cluster: await discoverCluster(connection, { waitMs: 5_000 }),
    participant: name,
    instance: instanceId(1),
    version: '1.0.0',
    handlers: {
      work: async () => ({ result: { kind: 'done', outputs: [] }, instance: instanceId(1) }),
      prepare: async () => ({ kind: 'refused', code: 'x', reason: 'x' }),
      finish: async () => ({ kind: 'acknowledged', outcome: { kind: 'committed' } }),
      inspect: async () => ({}),
    },
    onCoordinatorUp: () => nudged.open(),
  });
  return connection;
};
let nudged = gate();

describe('with the permissions of the page', () => {
  it('the whole protocol works', async () => {
    nudged = gate();
    const answers = await serveCoordinator(await as('coordinator-answers'), {
      cluster,
      incarnation: OWNER,
      handlers: {
        inquire: async () => ({ kind: 'undecided' }),
        reportHeuristic: async () => ({ recorded: true }),
        enlist: () => ({ kind: 'enlisted', branch: FIRST, timeLeftMs: 1, idleLeaseMs: 1 }),
        isLive: () => true,
        lowWaterMark: async () => newTransaction(),
        forward: async () => ({ status: 200, headers: {}, body: {} }),
      },
    });
    const east = await participantOf(EAST as ParticipantName & User);
    await participantOf(WEST as ParticipantName & User);
    const commands = await as('coordinator');
    const channel = new NatsParticipantChannel(commands, { cluster, incarnation: OWNER });
    for (const participant of [EAST, WEST]) {
      const to = { transaction: newTransaction(), branch: FIRST, participant };
      expect(await channel.finish(finishRequest({ to }))).toMatchObject({ kind: 'answered' });
    }
    expect(await channel.listParticipants()).toHaveLength(2);
    answers.announceUp();
    await nudged.opened;

    const instance = instanceId(1);
    const asker = new NatsCoordinatorChannel(east, {
      cluster,
      asker: { participant: EAST, instance },
    });
    const transaction = newTransaction(OWNER);
    const peer = new NatsCoordinatorChannel(commands, { cluster, asker: { coordinator: OWNER } });
    const results = await Promise.all([
      asker.inquire({ transaction, branch: FIRST, participant: EAST }),
      asker.reportHeuristic({
        transaction,
        branch: FIRST,
        participant: EAST,
        evidence: { decision: 'commit', found: 'missing', explanation: 'x' },
      }),
      asker.enlist({ transaction, participant: EAST, instance }),
      asker.lowWaterMark(),
      peer.ping(OWNER),
      peer.isLive(OWNER, transaction),
      peer.lowWaterMark(),
      peer.forward({ transaction, verb: 'commit', principal: 'app', role: 'client' }, 5_000),
    ]);
    expect(results.map((one) => one.kind)).toEqual(Array(8).fill('answered'));
  });

  it('every user may publish where the protocol needs it and nowhere else', async () => {
    const instance = instanceId(1);
    const [east, west] = [{ participant: EAST }, { participant: WEST }];
    const allowed: Record<string, readonly User[]> = {
      [subjects.command(EAST, 'commit')]: ['coordinator'],
      [subjects.command(WEST, 'prepare')]: ['coordinator'],
      [subjects.command(WEST, 'work', instance)]: ['coordinator'],
      [subjects.inspectAll]: ['coordinator'],
      [subjects.toAnyCoordinator(east, 'inquire')]: [EAST as User],
      [subjects.toAnyCoordinator(east, 'report-heuristic')]: [EAST as User],
      [subjects.toAnyCoordinator(west, 'report-heuristic')]: [WEST as User],
      [subjects.toIncarnation(east, OWNER, 'enlist')]: [EAST as User],
      [subjects.toIncarnation(west, OWNER, 'enlist')]: [WEST as User],
      [subjects.toIncarnation(west, OWNER, 'waits')]: [WEST as User],
      [subjects.toIncarnation({ coordinator: OWNER }, OWNER, 'ping')]: ['coordinator'],
      [subjects.toIncarnation({ coordinator: OWNER }, OWNER, 'forward')]: ['coordinator'],
      [subjects.toAnyCoordinator({ coordinator: OWNER }, 'inquire')]: ['coordinator'],
      'concordat.c4f8w2nb.v1.coord.any.inquire': [],
      [subjects.coordinatorUp]: ['coordinator-answers'],
      [subjects.replyToCommand(EAST, OWNER, 'token000')]: [EAST as User],
      [subjects.replyToCommand(WEST, OWNER, 'token000')]: [WEST as User],
      [subjects.replyToParticipant(EAST, instance, 'token000')]: ['coordinator-answers'],
      [subjects.replyToCoordinator(OWNER, 'token000')]: ['coordinator-answers'],
      'concordat.discover.v1': [EAST as User, WEST as User],
      'concordat.discover.reply.token000': ['coordinator-answers'],
      'concordat.other001.v1.cmd.ledger-east.commit': [],
      '_INBOX.anything': [],
    };
    for (const user of USERS) {
      const refused = await violations(user, 'publish', Object.keys(allowed));
      const expected = Object.keys(allowed).filter((one) => !allowed[one]?.includes(user));
      expect({ user, refused }).toEqual({ user, refused: new Set(expected) });
    }
  });

  it('every user may subscribe where the protocol needs it and nowhere else', async () => {
    const allowed: Record<string, readonly User[]> = {
      [`${subjects.command(EAST, 'commit')}`]: [EAST as User],
      [`${subjects.command(WEST, 'commit')}`]: [WEST as User],
      ...Object.fromEntries(
        [...subjects.questionsToAnyCoordinator, ...subjects.questionsToIncarnation(OWNER)].map(
          (subject): [string, User[]] => [subject, ['coordinator-answers']],
        ),
      ),
      [subjects.commandReplies(OWNER)]: ['coordinator'],
      [subjects.coordinatorReplies(OWNER)]: ['coordinator'],
      [subjects.participantReplies(EAST, instanceId(1))]: [EAST as User],
      [subjects.coordinatorUp]: [EAST as User, WEST as User],
      [`concordat.${cluster}.v1.cmd.>`]: [],
      [`concordat.${cluster}.v1.>`]: [],
      '_INBOX.>': [],
      '>': [],
    };
    for (const user of USERS) {
      const refused = await violations(user, 'subscription', Object.keys(allowed));
      const expected = Object.keys(allowed).filter((one) => !allowed[one]?.includes(user));
      expect({ user, refused }).toEqual({ user, refused: new Set(expected) });
    }
  });

  it('a participant that may not listen where it must says so instead of waiting in silence', async () => {
    const connection = await as(EAST as User);
    const serving = serveParticipant(connection, {
      cluster,
      participant: WEST,
      instance: instanceId(1),
      version: '1.0.0',
      handlers: {
        work: async () => ({ result: { kind: 'done', outputs: [] }, instance: instanceId(1) }),
        prepare: async () => ({ kind: 'refused', code: 'x', reason: 'x' }),
        finish: async () => ({ kind: 'not-yet', reason: 'x' }),
        inspect: async () => ({}),
      },
    });
    await expect(serving).rejects.toThrow(NotPermitted);
    await expect(serving).rejects.toThrow(/cmd\.ledger-west\.commit.*docs\/wire-protocol\.md/);
  });
});

/** The subjects on which the broker refuses a user to publish or subscribe. */
async function violations(
  user: User,
  operation: 'publish' | 'subscription',
  tried: readonly string[],
): Promise<Set<string>> {
  const nats = await bareAs(user);
  const refused = new Set<string>();
  let settled = 0;
  void (async () => {
    for await (const status of nats.status()) {
      if (status.type !== 'error') continue;
      if (!(status.error instanceof PermissionViolationError)) continue;
      if (status.error.operation === operation) refused.add(status.error.subject);
      if (status.error.subject === 'fence') settled += 1;
    }
  })();
  for (const subject of tried) {
    if (operation === 'publish') nats.publish(subject);
    else nats.subscribe(subject, { callback: () => undefined });
  }
  // A violation of its own marks the end: the broker reports them in order.
  if (operation === 'publish') nats.publish('fence');
  else nats.subscribe('fence', { callback: () => undefined });
  await waitFor(() => settled > 0, { what: 'the last violation' });
  refused.delete('fence');
  return refused;
}
