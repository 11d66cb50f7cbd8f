/** What waits for the shutdown leaves nothing behind when its wait is over. */
import { Readiness } from './readiness.js';

describe('Readiness', () => {
  it('keeps nobody who has stopped waiting for the shutdown', () => {
    const readiness = new Readiness([]);
    const cancels = Array.from({ length: 100 }, () => readiness.onDraining(() => undefined));
    expect(readiness.waiting).toBe(100);
    for (const cancel of cancels) cancel();
    expect(readiness.waiting).toBe(0);
  });

  it('tells everybody who waits, and who comes later, once that it shuts down', () => {
    const readiness = new Readiness([]);
    const told: string[] = [];
    readiness.onDraining(() => told.push('early'));
    readiness.beginDraining();
    readiness.beginDraining();
    readiness.onDraining(() => told.push('late'));
    expect(told).toEqual(['early', 'late']);
    expect(readiness.waiting).toBe(0);
  });
});
