/** The timeline's scale never shows a false order, and cuts only long silences. */
import fc from 'fast-check';
import { timeScale } from './time-scale.js';

const HOUR = 3_600_000;

describe('The scale of a timeline', () => {
  it('never changes the order of two instants, and never leaves the picture', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 10 * HOUR }), { minLength: 1, maxLength: 60 }),
        fc.option(fc.integer({ min: 0, max: 10 * HOUR })),
        (instants, decided) => {
          const scale = timeScale({
            instants,
            startMs: 0,
            endMs: 10 * HOUR,
            decidedMs: decided ?? undefined,
            width: 900,
          });
          const places = [...instants].sort((a, b) => a - b).map((ms) => scale.x(ms));
          places.forEach((x, index) => {
            expect(x).toBeGreaterThanOrEqual((places[index - 1] ?? 0) - 1e-6);
            expect(x).toBeLessThanOrEqual(900 + 1e-6);
          });
        },
      ),
    );
  });

  it('gives the votes a space of their own, however long the finishing takes', () => {
    const scale = timeScale({
      instants: [0, 2, 30, 40],
      startMs: 0,
      decidedMs: 43,
      endMs: 2 * HOUR,
      width: 1_000,
    });
    expect(scale.eras.map((era) => era.name)).toEqual(['voting', 'finishing']);
    expect(scale.x(30) - scale.x(2)).toBeGreaterThan(150);
    expect(scale.x(43)).toBeCloseTo(420);
  });

  it('cuts a silence that outweighs everything else, and keeps the rest to scale', () => {
    const scale = timeScale({
      instants: [0, 1_000, 2_000, 2_000 + HOUR, 3_000 + HOUR],
      startMs: 0,
      endMs: 4_000 + HOUR,
      width: 800,
    });
    const gaps = scale.pieces.filter((piece) => piece.isGap);
    expect(gaps.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([[2_000, 2_000 + HOUR]]);
    const [first, second] = scale.pieces;
    expect((first?.x1 ?? 0) - (first?.x0 ?? 0)).toBeCloseTo((second?.x1 ?? 0) - (second?.x0 ?? 0));
  });

  it('cuts nothing out of steady work', () => {
    const instants = Array.from({ length: 20 }, (_, index) => index * 60_000);
    const scale = timeScale({ instants, startMs: 0, endMs: 1_200_000, width: 800 });
    expect(scale.pieces.some((piece) => piece.isGap)).toBe(false);
  });

  it('has nothing to divide when everything happened at once', () => {
    const scale = timeScale({ instants: [5], startMs: 5, endMs: 5, width: 300 });
    expect(scale.x(5)).toBe(0);
    expect(scale.x(6)).toBe(300);
  });
});
