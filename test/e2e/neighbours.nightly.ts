/** Two services with one role or two, in every place they can share: none takes the other's branch for its own. */
import { SHARINGS, Neighbours } from './neighbours.js';

describe.each(SHARINGS)('Two services with $roles in $place', (sharing) => {
  let neighbours: Neighbours;

  beforeAll(async () => {
    neighbours = await Neighbours.start(sharing);
  }, 60_000);

  afterAll(() => neighbours?.dispose());

  it('start beside each other, dead or alive, and never make a transaction heuristic', async () => {
    await neighbours.liveThrough();
    expect(await neighbours.wrong()).toEqual({ heuristic: 0, money: 0 });
  });
});
