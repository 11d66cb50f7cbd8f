/** The simulator's database, held to the same contract as the real one: what it proves must carry over. */
import { formatGid } from '@concordat/protocol';
import { DatabaseStore } from '../simulation/database-store.js';
import { Random } from '../simulation/random.js';
import { SimulatedResource, type SimulatedSession } from '../simulation/simulated-resource.js';
import { Timeline } from '../simulation/timeline.js';
import { describeResource, type ResourceHarness } from './resource.js';

async function harness(): Promise<ResourceHarness<SimulatedSession>> {
  const timeline = new Timeline();
  const store = new DatabaseStore();
  const random = new Random(1);
  const faults = () => ({ lostAnswer: 0, refusal: 0, slow: 0, delayMsMax: 5 });
  const open = () => new SimulatedResource(store, timeline, random, faults, () => true);
  const resource = open();
  let running = true;
  const pump = (async () => {
    while (running) await timeline.play(timeline.now + 10);
  })();
  return {
    resource,
    other: open(),
    write: async (session, mark) => {
      await resource.operate(session, mark, 1);
    },
    read: async (session) => {
      await resource.operate(session, 'nothing', 0);
    },
    failQuietly: async (session) => {
      session.failed = true;
    },
    sees: async (mark) => store.balances.get(mark) === 1,
    commitByHand: async (branch) => {
      store.commitPrepared(formatGid(branch), true);
    },
    rollbackByHand: async (branch) => {
      store.rollbackPrepared(formatGid(branch));
    },
    close: async () => {
      running = false;
      await pump;
    },
  };
}

describeResource('The simulator', harness);
