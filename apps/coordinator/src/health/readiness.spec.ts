/** What waits for the shutdown leaves nothing behind when its wait is over. */
import { SystemClock } from '@concordat/channel';
import { Problem } from '../problems/problem.js';
import { Probe, Readiness, type Dependency } from './readiness.js';

describe('Readiness', () => {
  it('keeps no listener that has stopped waiting for the shutdown', () => {
    const readiness = new Readiness([]);
    const cancels = Array.from({ length: 100 }, () => readiness.onDraining(() => undefined));
    expect(readiness.waiting).toBe(100);
    for (const cancel of cancels) cancel();
    expect(readiness.waiting).toBe(0);
  });

  it('notifies all listeners, and later ones, once that it shuts down', () => {
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

describe('What is seen through another dependency', () => {
  const state = (name: Dependency['name'], ok: boolean, detail: string): Dependency => ({
    name,
    code: 'clock-off',
    probe: () => Promise.resolve({ ok, detail }),
    known: () => ({ ok, detail }),
  });
  const clockWith = (ok: boolean, detail: string): Dependency => ({
    ...state('clock', ok, detail),
    seenThrough: { name: 'register', lastSeen: 'it agreed when the register answered last' },
  });
  const detailOf = async (...dependencies: Dependency[]): Promise<string | undefined> =>
    (await new Readiness(dependencies).report()).dependencies['clock']?.detail;

  it('is reported as last seen while that is away, and never as it is', async () => {
    const away = state('register', false, 'away');
    expect(await detailOf(away, clockWith(true, 'it agrees'))).toMatch(
      /when the register answered/,
    );
    expect(await detailOf(away, clockWith(false, 'it is off'))).toBe('it is off');
    const here = state('register', true, 'it answers');
    expect(await detailOf(here, clockWith(true, 'it agrees'))).toBe('it agrees');
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

  /** Answers or not, as the test says, by a clock that goes as far as the test says. */
  function watched() {
    let now = 0;
    const timers: { at: number; task: () => void }[] = [];
    const clock = {
      now: () => now,
      wallNow: () => now,
      after: (ms: number, task: () => void) => {
        const timer = { at: now + ms, task };
        timers.push(timer);
        return () => void (timers.includes(timer) && timers.splice(timers.indexOf(timer), 1));
      },
    };
    const pass = async (ms: number): Promise<void> => {
      for (const until = now + ms; ;) {
        await new Promise((resolve) => setImmediate(resolve));
        const [next] = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
        now = next?.at ?? until;
        if (!next) return;
        timers.splice(timers.indexOf(next), 1);
        next.task();
      }
    };
    const register: { is: 'here' | 'away' | 'silent' } = { is: 'here' };
    const ask = async (): Promise<string> => {
      await new Promise<void>((resolve) => clock.after(100, resolve));
      if (register.is === 'away') throw new Error('refused');
      return register.is === 'here' ? 'here' : new Promise<string>(() => undefined);
    };
    const log = { warn: () => undefined };
    const probe = new Probe('register', 'register-unavailable', ask, clock, log);
    return { probe, readiness: new Readiness([probe]), register, pass };
  }

  it.each(['away', 'silent'] as const)(
    'of a register that was %s admits who comes back after Retry-After, once it answers',
    async (how) => {
      // Whenever in its rhythm the register comes back, and the refusal falls just before.
      for (let offMs = 3_000; offMs < 6_500; offMs += 50) {
        const { probe, readiness, register, pass } = watched();
        probe.start();
        await pass(200);
        register.is = how;
        await pass(offMs);
        const refused = refusalOf(() => readiness.assertAdmitting());
        register.is = 'here';
        await pass(1_000 * Number(refused['Retry-After']));
        expect(() => readiness.assertAdmitting()).not.toThrow();
        probe.stop();
      }
    },
  );
});

function refusalOf(act: () => void): Readonly<Record<string, string>> {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error.headers;
    throw error;
  }
  throw new Error('it was not refused');
}
