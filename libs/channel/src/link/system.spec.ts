/** Random bytes that are drawn in blocks are each given to one caller. */
import { SystemEntropy } from './system.js';

describe('random bytes', () => {
  it('are as many as were asked for, and never given twice', () => {
    const entropy = new SystemEntropy();
    const texts = new Set<string>();
    for (let drawn = 0; drawn < 2_000; drawn++) {
      const bytes = entropy.bytes(10);
      expect(bytes).toHaveLength(10);
      texts.add(Buffer.from(bytes).toString('hex'));
    }
    expect(texts.size).toBe(2_000);
    expect(entropy.bytes(10_000)).toHaveLength(10_000);
  });

  it('stay as they are while others are drawn', () => {
    const entropy = new SystemEntropy();
    const first = entropy.bytes(10);
    const before = Buffer.from(first).toString('hex');
    for (let drawn = 0; drawn < 2_000; drawn++) entropy.bytes(10).fill(0);
    expect(Buffer.from(first).toString('hex')).toBe(before);
  });

  it('make numbers from 0 to below 1', () => {
    const entropy = new SystemEntropy();
    const units = Array.from({ length: 2_000 }, () => entropy.unit());
    expect(Math.min(...units)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...units)).toBeLessThan(1);
    expect(new Set(units).size).toBeGreaterThan(1_900);
  });
});
