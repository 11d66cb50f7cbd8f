/**
 * `kill -9`, where it hurts. Each case lets a real process die between two effects, starts it again and demands
 * what protocol §9 promises; the cases are in kill.cases.ts. One is no case: a transaction that has written nothing
 * is found aborted later, though its client was answered a commit.
 */
import { itHolds, onStage } from '../cases/run.js';
import { OF_A_PARTICIPANT, OF_A_SERVER, OF_THE_COORDINATOR } from './kill.cases.js';

onStage('After kill -9', { isAsShipped: true, armable: true }, (stage) => {
  describe('of the coordinator', () => {
    itHolds(stage, OF_THE_COORDINATOR);

    it('after it answered a commit that wrote nothing, and before its history has that, an abort is answered and no data differs', async () => {
      const { product } = stage();
      const branches = ['ledger-east', 'ledger-west'].map((participant, n) => ({
        participant,
        operations: [{ name: 'balance', input: { account: n === 0 ? 'alice' : 'bob' } }],
      }));
      const letHistoryGo = await product.hold(
        'concordat',
        'LOCK TABLE concordat.journal IN EXCLUSIVE MODE',
      );
      let answer: Awaited<ReturnType<ReturnType<typeof stage>['send']>>;
      try {
        answer = await stage().send({ label: 'looks', commit: true, branches });
        await product.untilWaiting('concordat', 1);
        await product.kill('coordinator');
        await product.endWaiting('concordat');
      } finally {
        await letHistoryGo();
      }
      // Its client can see in the answer that there was nothing to lose.
      const vote = { kind: 'read-only' };
      expect(answer).toMatchObject({
        status: 200,
        body: { decision: 'commit', branches: [{ vote }, { vote }] },
      });
      await product.startService('coordinator');
      const later = await stage().get(String(answer?.body['transactionId']));
      expect(later).toMatchObject({ status: 200, body: { decision: 'abort', status: 'aborted' } });
      expect(await product.prepared()).toEqual([]);
      expect(await stage().moved()).toBe(0);
    });
  });

  describe('of a participant', () => itHolds(stage, OF_A_PARTICIPANT));

  describe('of a server', () => itHolds(stage, OF_A_SERVER));
});
