import { noted, plain, table, titled, until } from './text.js';

describe('Text for a terminal', () => {
  it('never obeys what others wrote', () => {
    expect(plain('a\u{1b}[2Jb')).toBe('ab');
    expect(plain('a\r\nb\u{7}c\u{202e}d')).toBe('a\u{FFFD}\u{FFFD}b\u{FFFD}c\u{FFFD}d');
  });

  it('counts down by the coordinator’s clock, not by this machine’s', () => {
    const serverTime = '2001-01-01T00:00:00.000Z';
    expect(until('2001-01-01T00:00:42.000Z', serverTime)).toBe('in 42 s');
    expect(until('2000-12-31T23:59:59.000Z', serverTime)).toBe('now');
  });

  const columns = [
    { title: 'N', of: (row: string[]) => row[0] ?? '', right: true },
    { title: 'NAME', of: (row: string[]) => row[1] ?? '' },
    { title: 'SLOTS', of: (row: string[]) => row[2] ?? '' },
    { title: 'WHY', of: (row: string[]) => row[3] ?? '', rest: true },
  ];
  const rows = [
    ['1', 'east', '0/9', 'short'],
    ['22', 'west', '', 'a sentence that is longer than what is left of the line'],
  ];

  it('breaks the last column of a table into lines, and cuts nothing off', () => {
    expect(table(columns, rows, 60)).toEqual([
      ' N  NAME  SLOTS  WHY',
      ' 1  east  0/9    short',
      '22  west         a sentence that is longer than what is left',
      '                 of the line',
    ]);
  });

  it('shows each row of a table as a paragraph where the columns leave no space', () => {
    expect(table(columns, rows, 44)).toEqual([
      '1  east',
      '    SLOTS 0/9',
      '    short',
      '22  west',
      '    a sentence that is longer than what is',
      '    left of the line',
    ]);
  });

  it.each([60, 80, 120])('stays within %i columns, for any sentence', (width) => {
    const long = [
      ['7', 'a-participant-with-a-name-of-32-ab', '200/200', 'word '.repeat(99).trim()],
    ];
    for (const line of table(columns, long, width)) expect(line.length).toBeLessThanOrEqual(width);
    const sentence = long[0]?.[3] ?? '';
    for (const line of [
      ...titled('  Why   ', sentence, width),
      ...noted(`    ${sentence}`, undefined, width),
    ]) {
      expect(line.length).toBeLessThanOrEqual(width);
    }
  });
});
