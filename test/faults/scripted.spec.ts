/**
 * S46: participants that misbehave. With any of their messages, the others end alike and the product goes on.
 */
import { idOfAStranger, transferBody, type Json } from '../stage/product.js';
import { CaseStage, type Answer } from '../cases/stage.js';
import {
  ScriptedParticipant,
  WireClient,
  answering,
  done,
  no,
  yes,
  type Script,
  type WireMessage,
} from './stage/wire-client.js';

const REFUSED: WireMessage = { v: 1, type: 'refused', code: 'internal-error', reason: 'it threw' };

interface Case {
  readonly says: string;
  readonly onPrepare: (command: WireMessage) => readonly (WireMessage | string)[];
  readonly status: number;
  readonly cause?: object;
}

const SILENT = { kind: 'deadline' };

const CASES: readonly Case[] = [
  {
    says: 'throws',
    onPrepare: () => [REFUSED],
    status: 409,
    cause: { kind: 'vote', code: 'internal-error' },
  },
  { says: 'answers garbage', onPrepare: () => ['\u0000{"v":'], status: 409, cause: SILENT },
  { says: 'answers nothing at all', onPrepare: () => [''], status: 409, cause: SILENT },
  {
    says: 'answers with an acknowledgement instead of a vote',
    onPrepare: (command) => [done(command)],
    status: 409,
    cause: SILENT,
  },
  { says: 'says yes twice', onPrepare: (command) => [yes(command), yes(command)], status: 200 },
  {
    says: 'says yes and then no',
    onPrepare: (command) => [yes(command), no(command)],
    status: 200,
  },
  {
    says: 'says no and then yes',
    onPrepare: (command) => [no(command), yes(command)],
    status: 409,
    cause: { kind: 'vote', code: 'UNWILLING' },
  },
  {
    says: 'votes for another branch',
    onPrepare: (command) => [{ ...yes(command), branch: '1' }],
    status: 409,
    cause: SILENT,
  },
  {
    says: 'votes for another transaction',
    onPrepare: (command) => [{ ...yes(command), transaction: idOfAStranger() }],
    status: 409,
    cause: SILENT,
  },
  {
    says: 'votes in the name of another',
    onPrepare: (command) => [{ ...yes(command), participant: 'ledger-east' }],
    status: 409,
    cause: SILENT,
  },
  {
    says: 'invents a fourth vote',
    onPrepare: (command) => [answering(command, 'vote', { vote: { kind: 'maybe' }, outputs: [] })],
    status: 409,
    cause: SILENT,
  },
];

describe('A participant that', () => {
  let stage: CaseStage;
  let wire: WireClient;

  beforeAll(async () => {
    stage = await CaseStage.start();
    wire = await WireClient.connect(stage.product);
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(async () => {
    await wire?.close();
    await stage.dispose();
  });

  let made = 0;
  function participant(script: Script): Promise<ScriptedParticipant> {
    made += 1;
    return new ScriptedParticipant(wire, `scripted-${made}`, script).listen();
  }

  /** A transfer with a third branch, of the scripted participant. */
  function withBranchOf({ name }: ScriptedParticipant, timeoutMs = 10_000): Promise<Answer> {
    const { branches } = transferBody();
    return stage.post({
      ...transferBody(100, { timeoutMs }),
      branches: [...branches, { participant: name, operations: [{ name: 'work' }] }],
    });
  }

  it.each(CASES.map((one) => [one.says, one] as const))(
    'S46: %s affects no other: all end alike, as its first valid vote says',
    async (_, { onPrepare, status, cause }) => {
      const scripted = await participant((command) =>
        command['type'] === 'prepare' ? onPrepare(command) : [done(command)],
      );
      // Any other that is missed at the deadline of a silent one: it is a deadline all the same.
      const answer = await withBranchOf(scripted, cause === SILENT ? 2_000 : undefined);
      expect(answer).toMatchObject({ status });
      if (cause) expect(answer.body['cause']).toMatchObject(cause);
      const decision = status === 200 ? 'commit' : 'abort';
      const ended = await stage.completed(String(answer.body['transactionId']));
      expect(ended).toMatchObject({ decision });
      expect(outcomes(ended)).toEqual(Array(3).fill(status === 200 ? 'committed' : 'aborted'));
      expect(scripted.told).toContain(decision);
      expect(scripted.told).not.toContain(status === 200 ? 'abort' : 'commit');
      expect(await stage.moved()).toBe(status === 200 ? 100 : 0);
    },
  );

  it.each([
    ['aborted', { kind: 'aborted' }],
    [
      'rolled back manually',
      {
        kind: 'heuristic',
        evidence: { decision: 'commit', found: 'rolled-back', explanation: 'somebody did it' },
      },
    ],
  ])(
    'S46: acknowledges a commit as %s makes the transaction heuristic, never plain, and the others commit',
    async (_, outcome) => {
      const scripted = await participant((command) =>
        command['type'] === 'prepare'
          ? [yes(command)]
          : [answering(command, 'acknowledged', { outcome })],
      );
      const answer = await withBranchOf(scripted);
      expect(answer).toMatchObject({ status: 200 });
      const ended = await stage.completed(String(answer.body['transactionId']));
      expect(ended).toMatchObject({ decision: 'commit', status: 'heuristic-mixed' });
      expect(await stage.moved()).toBe(100);
    },
  );

  it('S46: answers a commit with garbage is asked again until it acknowledges', async () => {
    let asked = 0;
    const scripted = await participant((command) => {
      if (command['type'] === 'prepare') return [yes(command)];
      asked += 1;
      return [asked < 3 ? 'no JSON' : done(command)];
    });
    const answer = await withBranchOf(scripted);
    expect(answer).toMatchObject({ status: 200 });
    const ended = await stage.completed(String(answer.body['transactionId']));
    expect(ended).toMatchObject({ status: 'committed', outcome: 'committed' });
    expect(asked).toBe(3);
    expect(await stage.moved()).toBe(100);
  });
});

function outcomes(body: Json): unknown[] {
  const branches = body['branches'] as unknown as { outcome?: { kind: string } }[];
  return branches.map((one) => one.outcome?.kind);
}
