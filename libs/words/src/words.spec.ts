/** Words for people. */
import { withDurations } from './words.js';

describe('A text of somebody else', () => {
  it('says long times as people do', () => {
    const told = withDurations(
      'It is prepared for 4189 s; commit was decided 119 s ago, 7 s late.',
    );
    expect(told).toBe('It is prepared for 1 h 9 min; commit was decided 119 s ago, 7 s late.');
    expect(withDurations('prepared for 184000 s; 1200 sessions')).toBe(
      'prepared for 2 d 3 h; 1200 sessions',
    );
  });
});
