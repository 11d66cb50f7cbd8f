/**
 * A start whose database connection is cut at each of its statements in turn, before it arrives and before
 * it is answered: of a participant, and of a coordinator. Some of them run in start.spec.ts.
 */
import { jest } from '@jest/globals';
import { Starts, asking, eachOf, type Ground } from './stage/starts.js';

jest.setTimeout(900_000);

const CUTS = ['cut-before', 'cut-after'] as const;

type Start = (ground: Ground) => Promise<{ stop(): Promise<void> }>;

describe('A start that is cut off anywhere', () => {
  let starts: Starts;

  beforeAll(async () => {
    starts = await Starts.open();
  }, 90_000);

  afterAll(() => starts.dispose());

  /** What a start asks the server for without a fault. */
  async function statementsOf(start: Start): Promise<string[]> {
    const ground = await starts.ground();
    const watched = ground.proxy.rule('everything', asking, 'watch');
    let caught: string[] = [];
    await starts.on(ground, start(ground), async () => {
      caught = watched.caught.map(({ kind, about }) => `${kind} ${about.slice(0, 60)}`);
    });
    return caught;
  }

  async function cutAtEach(start: Start, left: (ground: Ground) => Promise<void>): Promise<void> {
    const statements = await statementsOf(start);
    expect(statements.length).toBeGreaterThan(20);
    const cells = statements.flatMap((what, at) => CUTS.map((cut) => ({ what, at, cut })));
    await eachOf(cells, async ({ what, at, cut }) => {
      const ground = await starts.ground();
      const rule = ground.proxy.rule(what, asking, cut, { nth: at + 1 });
      await starts.on(ground, start(ground), async () => {
        expect(rule.hits).toBe(1);
        await left(ground);
      });
    });
  }

  it('waits for the database, as a participant, and leaves nothing prepared', () =>
    cutAtEach(
      (ground) => starts.participant(ground),
      async (ground) => expect(await starts.prepared(ground)).toEqual([]),
    ));

  it('waits for the database, as a coordinator', () =>
    cutAtEach(
      (ground) => starts.coordinator(ground),
      async () => undefined,
    ));
});
