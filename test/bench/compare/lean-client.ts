/** The load of everything that is reached over HTTP, in a process of its own: see turns.ts. */
import { serveTurns, type Target, type Transaction, type Turn } from '../turns.js';
import { HttpConnection, type Answer } from './http-connection.js';
import { workOf, type Work } from './shapes.js';

type OverHttp = Exclude<Target, { kind: 'hand' }>;

/** One per client, kept over turns. */
const connections = new Map<string, HttpConnection>();

function connectionOf({ urls, key }: OverHttp, client: number): HttpConnection {
  const url = urls[client % urls.length] ?? '';
  const kept = connections.get(`${url} ${client}`);
  if (kept && !kept.isLost) return kept;
  const made = new HttpConnection(url, key);
  connections.set(`${url} ${client}`, made);
  return made;
}

function branch({ participant, name, input }: Work) {
  return { participant, operations: [{ name, input }] };
}

async function expect(status: number, asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  if (answer.status === status) return answer;
  throw new Error(`answered ${answer.status}, not ${status}: ${answer.body.slice(0, 300)}`);
}

function throughConcordat(turn: Turn, target: OverHttp & { kind: 'concordat' }): Transaction {
  const path = '/v1/transactions';
  const { until } = target;
  const expected = turn.shape === 'refused' ? 409 : 200;
  if (turn.shape !== 'interactive') {
    return async (client) => {
      const body = { commit: true, branches: workOf(turn, client).map(branch) };
      const connection = connectionOf(target, client);
      await expect(expected, connection.post(`${path}?until=${until}`, JSON.stringify(body)));
    };
  }
  return async (client) => {
    const connection = connectionOf(target, client);
    const begun = await expect(201, connection.post(path, '{}'));
    const { transactionId } = JSON.parse(begun.body) as { transactionId: string };
    for (const work of workOf(turn, client)) {
      const text = JSON.stringify(branch(work));
      await expect(200, connection.post(`${path}/${transactionId}/branches`, text));
    }
    await expect(200, connection.post(`${path}/${transactionId}/commit?until=${until}`));
  };
}

function apart(turn: Turn, target: OverHttp & { kind: 'apart' }): Transaction {
  const path = `/v1/work?commitBy=${target.commitBy}`;
  const expected = turn.shape === 'refused' ? 409 : 200;
  const send = (client: number, work: readonly Work[]) => {
    const body = JSON.stringify({ branches: work.map(branch) });
    return expect(expected, connectionOf(target, client).post(path, body));
  };
  return async (client) => {
    const work = workOf(turn, client);
    if (turn.shape === 'interactive') for (const one of work) await send(client, [one]);
    else await send(client, work);
  };
}

serveTurns((turn) => {
  const { target } = turn;
  if (target.kind === 'concordat') return Promise.resolve(throughConcordat(turn, target));
  if (target.kind === 'apart') return Promise.resolve(apart(turn, target));
  return Promise.reject(new Error('the hand-written version has no HTTP'));
});
