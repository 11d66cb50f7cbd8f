import type { TimelineEvent } from '@concordat/client';
import { RUN_MIN, runWords, withRuns } from './event-runs.js';

describe('The events of a transaction', () => {
  const at = new Date(0).toISOString();
  const event = (sequence: number, type: string): TimelineEvent => ({ sequence, at, type });
  const tries = (from: number, times: number) =>
    Array.from({ length: times }, (_, index) =>
      event(from + index, index % 2 === 0 ? 'retry' : 'no-answer'),
    );

  it('fold a long run of attempts into one entry, and nothing else', () => {
    const events = [event(1, 'begun'), event(2, 'decided'), ...tries(3, 190), event(193, 'ended')];
    const entries = withRuns(events);
    expect(entries.map((one) => one.kind)).toEqual(['event', 'event', 'run', 'event']);
    const told = entries.flatMap((one) => (one.kind === 'run' ? one.events : [one.event]));
    expect(told).toEqual(events);
    expect(runWords(tries(3, 191))).toBe('retry × 96, no-answer × 95');
  });

  it('are shown one by one while they are few', () => {
    const few = tries(1, RUN_MIN - 1);
    expect(withRuns(few).map((one) => one.kind)).toEqual(few.map(() => 'event'));
  });
});
