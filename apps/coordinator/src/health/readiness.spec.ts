/** What waits for the shutdown leaves nothing behind when its wait is over. */
import { SystemClock } from '@concordat/channel';
import { Probe, Readiness } from './readiness.js';

describe('Readiness', () => {
  it('keeps nobody who has stopped waiting for the shutdown', () => {
    const readiness = new Readiness([]);
    const cancels = Array.from({ length: 100 }, () => readiness.onDraining(() => undefined));
    expect(readiness.waiting).toBe(100);
    for (const cancel of cancels) cancel();
    expect(readiness.waiting).toBe(0);
  });

  it('tells everybody who waits, and who comes later, once that it shuts down', () => {
    const readiness = new Readiness([]);
    const told: string[] = [];
    readiness.onDraining(() => told.push('early'));
    readiness.beginDraining();
    readiness.beginDraining();
    readiness.onDraining(() => told.push('late'));
    expect(told).toEqual(['early', 'late']);
    expect(readiness.waiting).toBe(0);
  });

  it('is not ready while it only announces that it leaves, and admits all the same', async () => {
    const readiness = new Readiness([]);
    readiness.beginLeaving();
    expect(await readiness.report()).toMatchObject({ status: 'draining' });
    expect(() => readiness.assertAdmitting()).not.toThrow();
    readiness.beginDraining();
    expect(() => readiness.assertAdmitting()).toThrow(/shutting down/);
  });

  it('lets those who wait for a decision wait until the drain is over', () => {
    const readiness = new Readiness([]);
    const told: string[] = [];
    readiness.onEnding(() => told.push('decision'));
    readiness.beginDraining();
    expect(told).toEqual([]);
    readiness.beginEnding();
    readiness.onEnding(() => told.push('late'));
    expect(told).toEqual(['decision', 'late']);
    expect(readiness.waiting).toBe(0);
  });
});

describe('A probe', () => {
  it('asks once for all who ask at the same time, and again for who comes later', async () => {
    let asked = 0;
    let answer: (text: string) => void = () => undefined;
    const ask = (): Promise<string> => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    };
    const log = { warn: () => undefined };
    const probe = new Probe('register', 'register-unavailable', ask, new SystemClock(), log);
    const together = Promise.all(Array.from({ length: 100 }, () => probe.probe()));
    answer('here');
    expect((await together).every(({ ok }) => ok)).toBe(true);
    expect(asked).toBe(1);
    const later = probe.probe();
    answer('here');
    await later;
    expect(asked).toBe(2);
  });
});
