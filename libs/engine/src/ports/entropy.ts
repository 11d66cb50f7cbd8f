/** Randomness as the engine may know it: ids and jitter. The simulator draws both from one seed. */
export abstract class Entropy {
  abstract bytes(count: number): Uint8Array;
  /** Uniform in [0, 1). */
  abstract unit(): number;
}
