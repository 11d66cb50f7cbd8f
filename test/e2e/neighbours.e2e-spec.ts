/** Two services that share a database judge their own branches only; every other way nightly. */
import { SHARINGS, Neighbours } from './neighbours.js';

describe.each(SHARINGS.slice(0, 1))('Two services with $roles in $place', (sharing) => {
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
