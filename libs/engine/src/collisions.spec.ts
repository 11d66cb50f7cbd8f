/** In order where transactions have lately collided, at two of their participants; all at once elsewhere. */
import {
  protocolNo,
  type AbortCause,
  type BranchId,
  type ParticipantName,
} from '@concordat/protocol';
import { Collisions } from './collisions.js';
import type { BranchMemory } from './live-transaction.js';
import type { Clock } from './ports/index.js';

const [east, west, north] = ['east', 'west', 'north'] as ParticipantName[] as [
  ParticipantName,
  ParticipantName,
  ParticipantName,
];

function place() {
  let now = 0;
  const clock = { now: () => now, wallNow: () => now, after: () => () => undefined };
  const collisions = new Collisions(clock satisfies Clock);
  return {
    collisions,
    pass: (ms: number) => void (now += ms),
    order: (...of: ParticipantName[]) => collisions.orderFor('auto', of),
  };
}

const lost = (code: 'DISTRIBUTED_DEADLOCK' | 'DEADLOCK', at: ParticipantName): AbortCause => ({
  kind: 'vote',
  branch: '1' as BranchId,
  participant: at,
  vote: protocolNo(code, 'it gives way'),
});
const voted = (participant: ParticipantName) =>
  ({ participant, vote: { kind: 'prepared' } }) as unknown as BranchMemory;
const silent = (participant: ParticipantName) => ({ participant }) as unknown as BranchMemory;

describe('Transactions are prepared', () => {
  it('all at once where no transaction has waited, and where waits are at one participant only', () => {
    const { collisions, order } = place();
    expect(order(east, west)).toBe('parallel');
    collisions.noted(east);
    expect(order(east, west)).toBe('parallel');
  });

  it('in order where two of their participants are places of waits, and all at once beside them', () => {
    const { collisions, order } = place();
    collisions.noted(east);
    collisions.noted(west);
    expect(order(east, west)).toBe('ordered');
    expect(order(north, west, east)).toBe('ordered');
    expect(order(east, north)).toBe('parallel');
  });

  it('in order after one gave way in a cycle: where it waited, and where it held something', () => {
    const { collisions, order } = place();
    collisions.learn(lost('DISTRIBUTED_DEADLOCK', west), [
      voted(east),
      silent(west),
      silent(north),
    ]);
    expect(order(east, west)).toBe('ordered');
    expect(order(east, north)).toBe('parallel');
  });

  it('all at once after a deadlock within one database, which order does not prevent', () => {
    const { collisions, order } = place();
    collisions.learn(lost('DEADLOCK', west), [voted(east), voted(west)]);
    expect(order(east, west)).toBe('parallel');
  });

  it('as the caller says, regardless of collisions', () => {
    const { collisions } = place();
    expect(collisions.orderFor('ordered', [east, west])).toBe('ordered');
    collisions.noted(east);
    collisions.noted(west);
    expect(collisions.orderFor('parallel', [east, west])).toBe('parallel');
  });

  it('all at once again when no wait was seen for a while', () => {
    const { collisions, order, pass } = place();
    collisions.noted(east);
    collisions.noted(west);
    pass(5_000);
    expect(order(east, west)).toBe('ordered');
    pass(1);
    expect(order(east, west)).toBe('parallel');
  });

  it('in order for twice as long when it collides again soon, and as at first after a long calm', () => {
    const { collisions, order, pass } = place();
    const collide = () => [east, west].forEach((one) => collisions.noted(one));
    collide();
    pass(5_001);
    collide();
    pass(10_000);
    expect(order(east, west)).toBe('ordered');
    pass(1);
    expect(order(east, west)).toBe('parallel');
    pass(40_000);
    collide();
    pass(5_001);
    expect(order(east, west)).toBe('parallel');
  });
});
