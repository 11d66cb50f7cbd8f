/** Which branches may begin, which wait for a session, and what a refused branch is told. */
import { NoCode } from '@concordat/protocol';
import { Admission, voteMarginMs, type Waiting } from './admission.js';
import { Clock } from './ports/index.js';

class HandClock extends Clock {
  private at = 0;
  private readonly due: { at: number; task: () => void }[] = [];
  now = () => this.at;
  wallNow = () => this.at;

  after(ms: number, task: () => void): () => void {
    const one = { at: this.at + ms, task };
    this.due.push(one);
    return () => void this.due.splice(0, this.due.length, ...this.due.filter((it) => it !== one));
  }

  pass(ms: number): void {
    this.at += ms;
    for (const { task } of this.due.filter(({ at }) => at <= this.at)) task();
  }
}

describe('admission', () => {
  let clock: HandClock;
  let load: { working: number; inDoubt: number };
  let admission: Admission;

  beforeEach(() => {
    clock = new HandClock();
    load = { working: 2, inDoubt: 0 };
    admission = new Admission(clock, { sessionsMax: 2, inDoubtMax: 4 }, () => load);
  });

  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

  it('promises one free session to one of those that wait, and the next one to the next', async () => {
    const got: number[] = [];
    const waits = [1, 2, 3].map((n) => admission.wait({}, 1_000).then(() => got.push(n)));
    load = { working: 1, inDoubt: 0 };
    admission.freed();
    admission.freed(); // The first has its promise and is not at work yet.
    await settled();
    expect(got).toEqual([1]);
    expect(admission.check()).toBe('wait'); // No branch overtakes a waiting one.
    load = { working: 2, inDoubt: 0 };
    admission.seated();
    admission.freed();
    await settled();
    expect(got).toEqual([1]);
    load = { working: 0, inDoubt: 0 };
    admission.freed();
    await Promise.all(waits);
    expect(got).toEqual([1, 2, 3]);
  });

  it('lets the oldest transaction go first, whenever its branch came', async () => {
    const got: number[] = [];
    const waits = [30, 10, 20, 10].map((place, nth) =>
      admission.wait({ place }, 1_000).then(() => got.push(nth)),
    );
    load = { working: 0, inDoubt: 0 };
    for (let nth = 0; nth < waits.length; nth++) {
      admission.freed();
      await settled();
      admission.seated();
    }
    await Promise.all(waits);
    expect(got).toEqual([1, 3, 2, 0]);
  });

  it('says that sessions were short while there is time for a vote', async () => {
    const wait = admission.wait({}, 1_000);
    clock.pass(1_000 - voteMarginMs(1_000));
    const vote = await wait;
    expect(vote).toMatchObject({ code: NoCode.sessionsBusy, retryable: true });
    expect(vote?.reason).toMatch(/within 750 ms: 2 branches are at work here, at most 2 may be/);
    expect(admission.waiting).toBe(0);
  });

  it('says at once that branches in doubt hold all slots, also to those whose turn comes', async () => {
    const wait = admission.wait({}, 1_000);
    load = { working: 1, inDoubt: 4 };
    admission.freed();
    const slots = { code: NoCode.inDoubtLimit, retryable: true };
    expect(await wait).toMatchObject(slots);
    expect(admission.check()).toMatchObject({
      ...slots,
      reason: '4 branches in doubt take all 4 prepared slots of this instance.',
    });
  });

  it('waits for a slot that a branch at work may yet give back, and never says that it is in doubt', async () => {
    load = { working: 1, inDoubt: 3 };
    expect(admission.check()).toBe('wait');
    const first = admission.wait({}, 1_000);
    const second = admission.wait({}, 1_000);
    admission.freed();
    load = { working: 0, inDoubt: 3 };
    admission.freed();
    expect(await first).toBeUndefined();
    load = { working: 1, inDoubt: 3 };
    admission.seated();
    clock.pass(1_000 - voteMarginMs(1_000));
    const vote = await second;
    expect(vote).toMatchObject({ code: NoCode.slotsBusy, retryable: true });
    expect(vote?.reason).toMatch(/No prepared slot .*: 1 branches .* 3 in doubt, at most 4/);
  });

  it('bounds how many branches wait', () => {
    for (let n = 0; n < 4_096; n++) void admission.wait({}, 1_000);
    const turnedAway = admission.check();
    expect(turnedAway).toMatchObject({ code: NoCode.overloaded, retryable: true });
    expect(turnedAway).toMatchObject({
      reason: expect.stringContaining('Memory is kept for 4096'),
    });
  });

  it('refuses every branch once it closes', async () => {
    const wait = admission.wait({}, 1_000);
    admission.close();
    expect(await wait).toMatchObject({ code: NoCode.shuttingDown });
    load = { working: 0, inDoubt: 0 };
    expect(admission.check()).toMatchObject({ code: NoCode.shuttingDown });
  });

  it('lets in those first that may be in a cycle of waits, as many as have a place, and then the oldest', async () => {
    let places = 1;
    const none = () => new Set<string>();
    const nothing = { queues: none, crowded: none, hasRoom: () => false };
    const room = { ...nothing, placesOfSuspected: () => places };
    admission = new Admission(clock, { sessionsMax: 2, inDoubtMax: 4 }, () => load, room);
    const got: string[] = [];
    const enter = (name: string, place: number, suspectedSince?: number) => {
      const recalled = {
        suspectedSince: () => suspectedSince,
        turn: () => got.push(name),
        tooLate: () => ({ kind: 'no', code: 'LATE', reason: '', retryable: true }) as const,
      };
      void admission.wait({ place }, 1_000, recalled);
    };
    enter('kept back', 1);
    enter('suspected later', 2, 20);
    enter('suspected first', 3, 10);
    expect(admission.demand()).toMatchObject({ suspected: 1 });
    void admission.wait({ place: 4 }, 1_000).then(() => got.push('fresh'));
    load = { working: 1, inDoubt: 0 };
    admission.freed();
    expect(got).toEqual(['suspected first']);
    places = 0;
    admission.seated();
    admission.freed();
    await settled();
    expect(got).toEqual(['suspected first', 'fresh']);
  });

  it('lets those wait whose crowd is at work, and the oldest of the others go', async () => {
    let crowded = new Set(['hot']);
    const room = {
      ...{ queues: () => new Set<string>(), crowded: () => crowded },
      ...{ hasRoom: () => true, placesOfSuspected: () => 0 },
    };
    admission = new Admission(clock, { sessionsMax: 2, inDoubtMax: 4 }, () => load, room);
    const got: string[] = [];
    const enter = (mark: string, place: number) => {
      const recalled = {
        isIn: (marks: ReadonlySet<string>) => marks.has(mark),
        suspectedSince: () => undefined,
        turn: () => got.push(`${mark} ${place}`),
        tooLate: () => ({ kind: 'no', code: 'LATE', reason: '', retryable: true }) as const,
      };
      void admission.wait({ place }, 1_000, recalled);
    };
    enter('hot', 2);
    enter('hot', 1);
    enter('cold', 3);
    load = { working: 1, inDoubt: 0 };
    admission.freed();
    expect(got).toEqual(['cold 3']);
    admission.seated();
    expect(admission.check()).toBeUndefined(); // What is in no crowd does not wait behind one.
    crowded = new Set();
    admission.freed();
    expect(got).toEqual(['cold 3', 'hot 1']);
  });

  it('lets a branch that was ended meanwhile go, and gives its place to the next', async () => {
    const branch: Waiting = {};
    const first = admission.wait(branch, 1_000);
    const second = admission.wait({}, 1_000);
    const why = { kind: 'no', code: 'GONE', reason: 'gone', retryable: false } as const;
    branch.stopWaiting?.(why);
    expect(await first).toBe(why);
    load = { working: 1, inDoubt: 0 };
    admission.freed();
    expect(await second).toBeUndefined();
  });
});
