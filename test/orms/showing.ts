/** What every ORM shows, whichever of them are on stage. */
import { NoCode } from '@concordat/protocol';
import type { Json } from '../stage/product.js';
import { OrmsOnStage, type Orm } from './stage.js';

/** The same branch for each ORM. */
export function each<Value>(orms: readonly Orm[], value: (orm: Orm) => Value): Record<Orm, Value> {
  return Object.fromEntries(orms.map((orm) => [orm, value(orm)])) as Record<Orm, Value>;
}

/** What each branch returned, in the order of the request. */
function outputsOf(body: Json): unknown[][] {
  const branches = body['branches'] as unknown as { outputs?: unknown[] }[];
  return branches.map(({ outputs = [] }) => outputs);
}

/** Declares the tests; all ORMs share one process and its stage, or each gets its own. */
export function showThat(orms: readonly Orm[], more?: (stage: () => OrmsOnStage) => void): void {
  let stage: OrmsOnStage;
  const stocks = async () =>
    Object.fromEntries(
      await Promise.all(orms.map(async (orm) => [orm, await stage.stock(orm)] as const)),
    );
  const insert = (sku: string, available = 5) =>
    stage.transaction(each(orms, () => ['insert', { sku, available }]));

  beforeAll(async () => {
    stage = await OrmsOnStage.start(orms);
  }, 120_000);

  afterEach(() => stage.clear());

  afterAll(() => stage?.dispose());

  it('commits what it has done in its branch, as part of one transaction', async () => {
    await insert('a');
    const { status, body } = await stage.transaction(
      each(orms, () => ['reserve', { sku: 'a', quantity: 2 }]),
    );
    expect([status, body['cause']]).toEqual([200, undefined]);
    const outputs = outputsOf(body);
    expect(outputs).toEqual(orms.map(() => [{ available: 3 }]));
    expect(await stocks()).toEqual(each(orms, () => ({ a: 3 })));
  });

  it.each(orms)('leaves nothing of any branch when that of %s refuses', async (orm) => {
    await insert('a');
    const { status, body } = await stage.transaction({
      ...each(orms, () => ['insert', { sku: 'b' }] as const),
      [orm]: ['reserve', { sku: 'a', quantity: 6 }],
    });
    expect([status, body['cause']]).toEqual([
      409,
      expect.objectContaining({ participant: `stock-${orm}`, code: 'OUT_OF_STOCK' }),
    ]);
    await stage.product.untilNothingInDoubt();
    expect(await stocks()).toEqual(each(orms, () => ({ a: 5 })));
  });

  it.each(orms)('says what the database refused through %s', async (orm) => {
    const { body } = await stage.transaction({ [orm]: ['twice', { sku: 'a' }] });
    expect(body['cause']).toMatchObject({
      participant: `stock-${orm}`,
      code: NoCode.constraint,
      details: { sqlstate: '23505' },
    });
  });

  it('makes its transactions parts of the branch, nested too', async () => {
    const { body } = await stage.transaction(each(orms, () => ['parts', { sku: 'p' }]));
    const outputs = outputsOf(body).map(([one]) => one);
    const part = { failed: 'undone', nested: 'undone', rows: [null, 1, null] };
    expect(outputs).toEqual(orms.map(() => part));
    expect(await stocks()).toEqual(each(orms, () => ({ 'p-kept': 1 })));
  });

  for (const orm of orms) {
    // It has one runner for a branch, and keeps its transactions on one stack.
    if (orm === 'typeorm') continue;
    it(`undoes nothing of one part with another of ${orm} at the same time`, async () => {
      const { body } = await stage.transaction({ [orm]: ['concurrent', { sku: 'c' }] });
      const ends = { ends: ['undone', 'done', 'done'], rows: [null, 1, 1] };
      expect(outputsOf(body)).toEqual([[ends]]);
      expect(await stage.stock(orm)).toEqual({ 'c-b': 1, 'c-c': 1 });
    });
  }

  it.each(orms)('keeps branches of %s apart that read in the same tick', async (orm) => {
    const [east, west] = await Promise.all([
      stage.transaction({ [orm]: ['meet', { sku: 'east', other: 'west' }] }),
      stage.transaction({ [orm]: ['meet', { sku: 'west', other: 'east' }] }),
    ]);
    const outputs = [east, west].map(({ body }) => outputsOf(body)[0]?.[0]);
    expect(outputs).toEqual([
      { mine: 1, theirs: null },
      { mine: 1, theirs: null },
    ]);
  });

  it('is committed after a kill -9 between the decision and its branch', async () => {
    await insert('a');
    await stage.restartServices(`commit.pre@stock-${orms[0]}=kill`);
    const { body } = await stage.transaction(
      each(orms, () => ['reserve', { sku: 'a', quantity: 1 }]),
      'decided',
    );
    expect(body['decision']).toBe('commit');
    await stage.untilDead();
    expect((await stage.product.prepared()).length).toBeGreaterThan(0);
    await stage.startServices();
    await stage.product.untilAllEnded();
    expect(await stocks()).toEqual(each(orms, () => ({ a: 4 })));
  });

  more?.(() => stage);
}
