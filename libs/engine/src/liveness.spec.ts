/** How missing answers are interpreted and counted: by rounds, independent of who asks and how many do. */
import {
  makeTransactionId,
  tokenFrom,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import { Liveness, isWorthTrying, mayBeThere, type LifeSign, type OwnerSign } from './liveness.js';
import type { Answer } from './ports/index.js';

const token = (byte: number): Incarnation => tokenFrom(new Uint8Array(8).fill(byte));
const [SELF, OTHER] = [token(1), token(2)];
const SILENCE = { kind: 'no-answer', why: 'time-out' } as const;
const GONE = { kind: 'no-responders' } as const;
const LIVE = { kind: 'answered', answer: { alive: true, live: true } } as const;
const idOf = (owner: Incarnation, last = 0): TransactionId =>
  makeTransactionId(1, new Uint8Array(10).fill(last), owner);

/** Questions that are answered when the test says so, in the order in which they were asked. */
class Questions {
  private readonly open: ((answer: Answer<never>) => void)[] = [];
  asked = 0;
  readonly ping = () => this.ask();
  readonly isLive = () => this.ask();

  answerNext(answer: Answer<unknown>, count = 1): void {
    for (const one of this.open.splice(0, count)) one(answer as Answer<never>);
  }

  answerLast(answer: Answer<unknown>): void {
    this.open.pop()?.(answer as Answer<never>);
  }

  private ask(): Promise<Answer<never>> {
    this.asked += 1;
    return new Promise((resolve) => this.open.push(resolve));
  }
}

describe('Liveness', () => {
  let questions: Questions;
  let liveness: Liveness;

  beforeEach(() => {
    questions = new Questions();
    liveness = new Liveness(questions, SELF);
  });

  /** One question, answered before anything else is asked. */
  async function round(answer: Answer<unknown>, last = 0): Promise<OwnerSign> {
    const asked = liveness.atOwner(idOf(OTHER, last));
    questions.answerNext(answer);
    return asked;
  }

  async function untilAsked(count: number): Promise<void> {
    while (questions.asked < count) await Promise.resolve();
  }

  it('counts the silences of questions that are under way together once', async () => {
    const together = [0, 1, 2, 3, 4].map((one) => liveness.atOwner(idOf(OTHER, one)));
    const pinged = liveness.of(OTHER);
    questions.answerNext(SILENCE, 6);
    for (const sign of [...(await Promise.all(together)), await pinged]) {
      expect(sign).toEqual({ kind: 'silent', rounds: 1 });
    }
  });

  it('counts rounds in sequence, from any asker, and gives the third as a reason to try', async () => {
    expect(isWorthTrying(await round(SILENCE))).toBe(false);
    const pinged = liveness.of(OTHER);
    questions.answerNext(SILENCE);
    expect(isWorthTrying(await pinged)).toBe(false);
    const third = await round(SILENCE, 7);
    expect(third).toEqual({ kind: 'silent', rounds: 3 });
    expect(isWorthTrying(third)).toBe(true);
    expect(mayBeThere(third)).toBe(true);
  });

  it('starts again with every answer, and counts no question that was asked before it', async () => {
    await round(SILENCE);
    await round(SILENCE);
    const early = liveness.atOwner(idOf(OTHER));
    const answered = liveness.atOwner(idOf(OTHER, 1));
    questions.answerLast(LIVE);
    expect(await answered).toEqual({ kind: 'live' });
    questions.answerNext(SILENCE);
    expect(await early).toEqual({ kind: 'silent', rounds: 0 });
    expect(await round(SILENCE)).toEqual({ kind: 'silent', rounds: 1 });
  });

  it('takes an incarnation for gone only by proof, and a transaction for gone if its owner does not know it', async () => {
    const forgotten = await round({ kind: 'answered', answer: { live: false } });
    const gone = await round(GONE);
    expect(gone).toEqual({ kind: 'gone' });
    expect(forgotten).toEqual({ kind: 'not-live' });
    for (const sign of [gone, forgotten]) {
      expect([isWorthTrying(sign), mayBeThere(sign)]).toEqual([true, false]);
    }
    const signs: LifeSign[] = [{ kind: 'alive' }, { kind: 'silent', rounds: 1 }];
    for (const sign of signs)
      expect([isWorthTrying(sign), mayBeThere(sign)]).toEqual([false, true]);
  });

  it('asks one question for all that a dead owner has left, and each its own once it is back', async () => {
    await round(GONE);
    const left = [0, 1, 2].map((one) => liveness.atOwner(idOf(OTHER, one)));
    expect(questions.asked).toBe(2);
    questions.answerNext(GONE);
    expect(await Promise.all(left)).toEqual([0, 1, 2].map(() => ({ kind: 'gone' })));
    const back = [0, 1].map((one) => liveness.atOwner(idOf(OTHER, one)));
    expect(questions.asked).toBe(3);
    questions.answerNext({ kind: 'answered', answer: { alive: true } });
    await untilAsked(5);
    questions.answerNext(LIVE);
    questions.answerNext({ kind: 'answered', answer: { live: false } });
    expect(await Promise.all(back)).toEqual([{ kind: 'live' }, { kind: 'not-live' }]);
  });

  it('asks once for all who want to know at the same time, and never asks about itself', async () => {
    const both = [liveness.of(OTHER), liveness.of(OTHER)];
    expect(questions.asked).toBe(1);
    questions.answerNext(GONE);
    expect(await Promise.all(both)).toEqual([{ kind: 'gone' }, { kind: 'gone' }]);
    expect(await liveness.of(SELF)).toEqual({ kind: 'alive' });
    await expect(liveness.atOwner(idOf(SELF))).rejects.toThrow('in memory');
    expect(questions.asked).toBe(1);
  });
});
