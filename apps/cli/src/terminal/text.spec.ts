import { age, plain, table, until } from './text.js';

describe('Text for a terminal', () => {
  it('never obeys what others wrote', () => {
    expect(plain('a\u{1b}[2Jb')).toBe('ab');
    expect(plain('a\r\nb\u{7}c\u{202e}d')).toBe('a\u{FFFD}\u{FFFD}b\u{FFFD}c\u{FFFD}d');
  });

  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_000, '1 s'],
    [59_999, '59 s'],
    [60_000, '1 m'],
    [725_000, '12 m 5 s'],
    [3_600_000, '1 h'],
    [10_920_000, '3 h 2 m'],
    [792_000_000, '9 d 4 h'],
  ])('tells %i ms as %s', (ms, text) => {
    expect(age(ms)).toBe(text);
  });

  it('counts down by the coordinator’s clock, not by this machine’s', () => {
    const serverTime = '2001-01-01T00:00:00.000Z';
    expect(until('2001-01-01T00:00:42.000Z', serverTime)).toBe('in 42 s');
    expect(until('2000-12-31T23:59:59.000Z', serverTime)).toBe('now');
  });

  it('keeps a table within the width by cutting its last column only', () => {
    const columns = [
      { title: 'N', of: (row: string[]) => row[0] ?? '', right: true },
      { title: 'WHY', of: (row: string[]) => row[1] ?? '', rest: true },
    ];
    const rows = [
      ['1', 'short'],
      ['22', 'a sentence that is longer than what is left of the line'],
    ];
    expect(table(columns, rows, 30)).toEqual([
      ' N  WHY',
      ' 1  short',
      '22  a sentence that is longer…',
    ]);
  });
});
