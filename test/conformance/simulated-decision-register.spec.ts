/** The simulator's register, held to the same contract as the real one: what it proves must carry over. */
import { Random } from '../simulation/random.js';
import { RegisterStore, SimulatedRegister } from '../simulation/simulated-register.js';
import { Timeline } from '../simulation/timeline.js';
import { describeDecisionRegister, type RegisterHarness } from './decision-register.js';
import { describeKeyClaims } from './key-claims.js';

async function harness(): Promise<RegisterHarness> {
  const timeline = new Timeline();
  const store = new RegisterStore();
  const random = new Random(1);
  const faults = () => ({ unknown: 0, delayMsMax: 5 });
  const open = () => new SimulatedRegister(store, timeline, random, faults, () => true);
  let running = true;
  const pump = (async () => {
    while (running) await timeline.play(timeline.now + 10);
  })();
  return {
    register: open(),
    other: open(),
    forget: async (unixMs) => store.forget(unixMs),
    close: async () => {
      running = false;
      await pump;
    },
  };
}

describeDecisionRegister('The simulator', harness);
describeKeyClaims('The simulator', harness);
