/**
 * What an entry of the audit says of its action. Guards "a question without an answer is no answer": what
 * was asked for and has no result yet is shown as that, never as done.
 */
import type { AuditEntry } from '@concordat/client';
import type { Shown } from '../wording/status.js';

const PHASES: Readonly<Record<AuditEntry['phase'], Shown>> = {
  asked: { word: 'asked', tone: 'calm', glyph: 'ring', means: 'Written before it was done.' },
  done: { word: 'done', tone: 'good', glyph: 'check', means: 'It was carried out.' },
  refused: { word: 'refused', tone: 'quiet', glyph: 'cross', means: 'It was not carried out.' },
  failed: { word: 'failed', tone: 'stuck', glyph: 'triangle', means: 'It could not be done.' },
};

const UNANSWERED: Shown = {
  word: 'no result',
  tone: 'waiting',
  glyph: 'question',
  means: 'Written before it was done; what came of it is not written.',
};

export interface ShownEntry {
  readonly entry: AuditEntry;
  readonly phase: Shown;
  /** What the phase does not say by itself. */
  readonly note?: string;
}

/** Entries as they are shown, newest first: an answer comes before what it answers. */
export function shownEntries(entries: readonly AuditEntry[]): ShownEntry[] {
  const answered = new Set(entries.map((one) => one.answers));
  return entries.map((entry) => {
    const phase = PHASES[entry.phase];
    if (entry.phase !== 'asked' || answered.has(entry.auditId)) return { entry, phase };
    return { entry, phase: UNANSWERED, note: noteOf(entry) };
  });
}

function noteOf({ action }: AuditEntry): string {
  const where = action.startsWith('operation-') ? 'operation' : 'transaction';
  return `It is under way, or its coordinator was gone before it could write the result. What the ${where} shows now is what came of it.`;
}
