/** What the audit says of what was asked for: with its result, and without one. */
import type { AuditEntry } from '@concordat/client';
import { shownEntries } from './phases.js';

function entry(auditId: string, more: Partial<AuditEntry>): AuditEntry {
  const by = { by: 'ada', role: 'operator', action: 'abort', transactionId: 't' } as const;
  return { auditId, at: '2026-05-04T12:00:00Z', ...by, phase: 'asked', hash: 'h', ...more };
}

const words = (entries: readonly AuditEntry[]) =>
  shownEntries(entries).map(({ phase, note }) => [phase.word, note !== undefined]);

describe('The audit', () => {
  it('says "asked" of what has its result, which comes above it', () => {
    const answer = entry('2', { phase: 'done', answers: '1' });
    expect(words([answer, entry('1', {})])).toEqual([
      ['done', false],
      ['asked', false],
    ]);
  });

  it('says of what has no result that it is not known, and where to look', () => {
    const answer = entry('3', { phase: 'refused', answers: '2' });
    const entries = [answer, entry('2', {}), entry('1', {})];
    expect(words(entries)).toEqual([
      ['refused', false],
      ['asked', false],
      ['no result', true],
    ]);
    expect(shownEntries(entries)[2]?.note).toMatch(/coordinator was gone .* the transaction shows/);
  });

  it('leads from the start of an operation to the operation', () => {
    const [shown] = shownEntries([entry('1', { action: 'operation-start' })]);
    expect(shown?.note).toMatch(/What the operation shows now/);
  });
});
