/**
 * One process's connection to the register's database. The effect of a call happens once, at some
 * moment; the answer may be lost, and so may the effect. A paused process has sent its call already:
 * the effect does not wait, only the answer does.
 */
import { RegisterUnknown } from '@concordat/engine';
import type { History } from './history.js';
import type { Random } from './random.js';
import type { Admit, Timeline } from './timeline.js';

export interface RegisterFaults {
  readonly unknown: number;
  readonly delayMsMax: number;
}

export class SimulatedConnection {
  constructor(
    private readonly server: { readonly isUp: boolean; readonly term: number },
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly faults: () => RegisterFaults,
    private readonly admit: Admit,
    private readonly history: History,
  ) {}

  call<T>(effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const { server } = this;
      const { unknown, delayMsMax } = this.faults();
      const { term } = server;
      const lost = this.random.chance(unknown);
      const happens = !lost || this.random.chance(0.5);
      const isCut = () => !server.isUp || server.term !== term;
      this.timeline.at(this.random.between(1, delayMsMax), () => {
        const result = happens && !isCut() ? effect() : undefined;
        const failed = lost || isCut();
        this.timeline.at(this.random.between(0, delayMsMax), () =>
          this.admit(() => {
            if (!failed && !isCut()) return resolve(result as T);
            this.history.count('registerUnknown');
            reject(new RegisterUnknown('the connection was lost'));
          }),
        );
      });
    });
  }
}
