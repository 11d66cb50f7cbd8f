/** Limits of beginning: by number, by bytes, by rate; for all, and for each principal. */
import { makeTransactionId, type Incarnation, type TransactionId } from '@concordat/protocol';
import { BeginLimits, type BeginLimitOptions } from './begin-limits.js';
import type { Clock } from './ports/index.js';
import { Refusal } from './refusal.js';
import { weightOf } from './weight.js';

const OWNER = '0wner000' as Incarnation;
let made = 0;

function freshId(): TransactionId {
  const bytes = new Uint8Array(10);
  bytes[9] = made;
  return makeTransactionId(1_000 + made++, bytes, OWNER);
}

function limitsOf(options: Partial<BeginLimitOptions> = {}, relieve?: () => boolean) {
  let nowMs = 0;
  const clock = { now: () => nowMs, wallNow: () => nowMs, after: () => () => undefined } as Clock;
  const all: BeginLimitOptions = {
    liveMax: 100,
    liveMaxPerPrincipal: 100,
    liveBytesMax: 100_000,
    liveBytesMaxPerPrincipal: 100_000,
    beginsPerPrincipal: { burst: 1_000, perSecond: 1_000 },
    ...options,
  };
  const limits = new BeginLimits(clock, all, relieve);
  const begin = (principal = 'a', inputs = 0): TransactionId => {
    limits.assertMayBegin(principal, inputs, 0);
    const id = freshId();
    limits.begun(id, principal, inputs);
    return id;
  };
  return { limits, begin, pass: (ms: number) => (nowMs += ms) };
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'admitted';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.retryAfterMs).toBeGreaterThan(0);
    return error.code;
  }
}

describe('Live transactions', () => {
  it('of one principal are as many as it may have, and leave room for others', () => {
    const { limits, begin } = limitsOf({ liveMaxPerPrincipal: 2 });
    const [first] = [begin('greedy'), begin('greedy')];
    expect(codeOf(() => begin('greedy'))).toBe('too-many-of-principal');
    expect(codeOf(() => begin('other'))).toBe('admitted');
    limits.decided(first as TransactionId);
    expect(codeOf(() => begin('greedy'))).toBe('admitted');
  });

  it('that are decided and not delivered keep others out only when there are many times more', () => {
    const { limits } = limitsOf({ liveMax: 10 });
    expect(codeOf(() => limits.assertMayBegin('a', 0, 49))).toBe('admitted');
    expect(codeOf(() => limits.assertMayBegin('a', 0, 50))).toBe('too-many-transactions');
  });

  it('begin as often as a principal may, and again when time has passed', () => {
    const { begin, pass } = limitsOf({ beginsPerPrincipal: { burst: 2, perSecond: 1 } });
    begin('hasty');
    begin('hasty');
    expect(codeOf(() => begin('hasty'))).toBe('too-fast');
    expect(codeOf(() => begin('other'))).toBe('admitted');
    pass(1_000);
    expect(codeOf(() => begin('hasty'))).toBe('admitted');
  });
});

describe('What live transactions carry', () => {
  it('has a bound for all, and one for each principal', () => {
    const { begin } = limitsOf({ liveBytesMaxPerPrincipal: 60_000 });
    begin('greedy', 50_000);
    expect(codeOf(() => begin('greedy', 20_000))).toBe('too-many-bytes-of-principal');
    begin('other', 40_000);
    expect(codeOf(() => begin('third', 20_000))).toBe('too-many-bytes');
    expect(codeOf(() => begin('third', 10_000))).toBe('admitted');
  });

  it('is held as inputs until the decision and as outputs until it is forgotten, and then is none', () => {
    const { limits, begin } = limitsOf();
    const id = begin('a', 50_000);
    const work = limits.weighInputs(id, 'x'.repeat(1_000));
    limits.holdInputs(id, work);
    const outputs = ['x'.repeat(2_000)];
    expect(limits.holdOutputs(id, outputs)).toBeUndefined();
    expect(limits.statistics().bytes).toBe(50_000 + work + weightOf(outputs));
    limits.decided(id);
    limits.decided(id);
    expect(limits.statistics().bytes).toBe(weightOf(outputs));
    limits.forgotten(id);
    limits.forgotten(id);
    expect(limits.statistics().bytes).toBe(0);
  });

  it('is refused when it does not fit: as inputs of more work, and as outputs, of which nothing is held', () => {
    const { limits, begin } = limitsOf();
    const id = begin('a', 99_000);
    expect(codeOf(() => limits.weighInputs(id, 'x'.repeat(1_000)))).toBe('too-many-bytes');
    expect(limits.holdOutputs(id, ['x'.repeat(1_000)])?.code).toBe('too-many-bytes');
    expect(limits.holdOutputs(id, [])).toBeUndefined();
    expect(limits.statistics()).toMatchObject({ bytes: 99_000, refused: { 'too-many-bytes': 2 } });
  });

  it('replaces outputs that are kept only for late readers', () => {
    const ended: TransactionId[] = [];
    const relieve = (): boolean => {
      const [oldest] = ended.splice(0, 1);
      if (oldest !== undefined) limits.forgotten(oldest);
      return oldest !== undefined;
    };
    const { limits, begin } = limitsOf({}, relieve);
    for (let n = 0; n < 3; n++) {
      const id = begin('a');
      expect(limits.holdOutputs(id, ['x'.repeat(15_000)])).toBeUndefined();
      limits.decided(id);
      ended.push(id);
    }
    expect(codeOf(() => begin('a', 50_000))).toBe('admitted');
    expect(ended).toHaveLength(1);
    expect(codeOf(() => begin('a', 50_001))).toBe('too-many-bytes');
  });

  it('is accepted at any size when it is alone', () => {
    const { begin } = limitsOf();
    expect(codeOf(() => begin('a', 1_000_000))).toBe('admitted');
    expect(codeOf(() => begin('b', 1))).toBe('too-many-bytes');
  });
});

describe('A weight', () => {
  it.each([
    ['a text of two bytes a character', '\u4e16'.repeat(1_000), 2_000],
    ['a list of numbers', Array.from({ length: 1_000 }, () => 0), 8_000],
    ['a list of empty objects', Array.from({ length: 1_000 }, () => ({})), 56_000],
    ['names', { ['x'.repeat(1_000)]: 1 }, 1_000],
  ])('is at least what %s takes in memory', (_, value, least) => {
    expect(weightOf(value)).toBeGreaterThanOrEqual(least);
  });

  it('follows depth without recursion', () => {
    let deep: unknown = 1;
    for (let n = 0; n < 100_000; n++) deep = [deep];
    expect(weightOf(deep)).toBeGreaterThan(100_000);
  });

  it('ends for a value that holds itself', () => {
    const itself: unknown[] = [];
    itself.push(itself);
    expect(weightOf(itself)).toBeGreaterThan(0);
  });
});
