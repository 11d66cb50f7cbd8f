/**
 * The set of states already seen: each a fixed number of 32-bit words, kept in arrival order so that
 * a state's index is its name. Open addressing over typed arrays, since a set of strings would hold a
 * tenth as many.
 */
const CHUNK_BITS = 15;
const CHUNK = 1 << CHUNK_BITS;
const LOAD_MAX = 0.6;

/** Looked up once: inside a test a look at a global costs more than the multiplication. */
const { imul } = Math;

export class StateStore {
  private readonly chunks: Int32Array[] = [];
  private table = new Int32Array(1 << 16);
  private count = 0;

  constructor(private readonly width: number) {}

  get size(): number {
    return this.count;
  }

  /** The index of a state, made now if it is new: `size` grows exactly then. */
  add(state: Int32Array): number {
    if (this.count >= this.table.length * LOAD_MAX) this.grow();
    const mask = this.table.length - 1;
    for (let at = hash(state) & mask; ; at = (at + 1) & mask) {
      const entry = this.table[at] as number;
      if (entry === 0) {
        this.table[at] = this.append(state) + 1;
        return this.count - 1;
      }
      if (this.equals(entry - 1, state)) return entry - 1;
    }
  }

  /** The state of an index, as a view that stays valid. */
  at(index: number): Int32Array {
    const chunk = this.chunks[index >> CHUNK_BITS] as Int32Array;
    const from = (index & (CHUNK - 1)) * this.width;
    return chunk.subarray(from, from + this.width);
  }

  private append(state: Int32Array): number {
    const index = this.count++;
    const offset = index & (CHUNK - 1);
    if (offset === 0) this.chunks.push(new Int32Array(CHUNK * this.width));
    (this.chunks[index >> CHUNK_BITS] as Int32Array).set(state, offset * this.width);
    return index;
  }

  private equals(index: number, state: Int32Array): boolean {
    const chunk = this.chunks[index >> CHUNK_BITS] as Int32Array;
    const from = (index & (CHUNK - 1)) * this.width;
    for (let i = 0; i < this.width; i++) if (chunk[from + i] !== state[i]) return false;
    return true;
  }

  private grow(): void {
    this.table = new Int32Array(this.table.length * 2);
    const mask = this.table.length - 1;
    for (let index = 0; index < this.count; index++) {
      let at = hash(this.at(index)) & mask;
      while (this.table[at] !== 0) at = (at + 1) & mask;
      this.table[at] = index + 1;
    }
  }
}

/** Murmur3's mixing, word by word. */
function hash(state: Int32Array): number {
  let h = 0x9747b28c;
  for (let i = 0; i < state.length; i++) {
    let k = imul(state[i] as number, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (imul(h, 5) + 0xe6546b64) | 0;
  }
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
