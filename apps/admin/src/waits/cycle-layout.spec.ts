/** The picture of a cycle: nothing overlaps, and nothing is outside. */
import { layoutCycle, NODE_RADIUS } from './cycle-layout.js';

describe('A cycle of waits is drawn', () => {
  it.each([2, 3, 4, 5, 6])(
    'with %i transactions apart, and an arrow from each to the next',
    (count) => {
      const { nodes, arrows, width, height } = layoutCycle(count);
      expect([nodes.length, arrows.length]).toEqual([count, count]);
      for (const [at, one] of nodes.entries()) {
        expect(one.x).toBeGreaterThanOrEqual(NODE_RADIUS);
        expect(one.x).toBeLessThanOrEqual(width - NODE_RADIUS);
        expect(one.y).toBeGreaterThanOrEqual(NODE_RADIUS);
        expect(one.y).toBeLessThanOrEqual(height - NODE_RADIUS);
        for (const other of nodes.slice(at + 1)) {
          expect(Math.hypot(one.x - other.x, one.y - other.y)).toBeGreaterThan(2 * NODE_RADIUS);
        }
      }
    },
  );

  it('with the two arrows between two of them apart', () => {
    const [there, back] = layoutCycle(2).arrows;
    expect(Math.abs((there?.label.y ?? 0) - (back?.label.y ?? 0))).toBeGreaterThan(20);
  });
});
