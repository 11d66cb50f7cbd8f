/** What is said of an orphan that differs from what was seen. */
import type { Orphan } from '@concordat/client';
import { changesOf } from './changes.js';

const orphan = (more: Partial<Orphan>) => ({ kind: 'prepared-unknown', ...more }) as Orphan;

describe('An orphan that has changed since somebody looked', () => {
  it('is described by what was found and what is decided', () => {
    const now = orphan({ kind: 'prepared-decided', verdict: 'abort' });
    expect(changesOf(orphan({}), now)).toEqual([
      'It was “prepared, unknown here”, and is “prepared, decided here”.',
      'It is decided now: abort.',
    ]);
  });

  it('is said to be gone when it is, and to be something else when this page does not show it', () => {
    expect(changesOf(orphan({}), undefined)).toEqual([
      'The last comparison does not find it any more.',
    ]);
    expect(changesOf(orphan({}), orphan({}))).toHaveLength(1);
  });
});
