/** Bulk work as people read it. */
import type { AdminOperation, OperationItem } from '@concordat/client';
import type { Shown } from '../wording/status.js';

export function operationName(action: AdminOperation['action']): string {
  return action === 'retry' ? 'Retry now' : 'Abort the undecided';
}

const STATES: Readonly<Record<string, Shown>> = {
  planned: { word: 'planned', tone: 'calm', glyph: 'ring', means: 'Nothing has been done yet.' },
  running: { word: 'running', tone: 'waiting', glyph: 'half', means: 'It is at work.' },
  done: { word: 'done', tone: 'good', glyph: 'check', means: 'Every item has its result.' },
  cancelled: {
    word: 'cancelled',
    tone: 'quiet',
    glyph: 'cross',
    means: 'Items that had not begun stay as they were.',
  },
  interrupted: {
    word: 'interrupted',
    tone: 'stuck',
    glyph: 'triangle',
    means: 'Its coordinator went away. A person has to continue what is left.',
  },
};

export function operationShown(state: AdminOperation['state']): Shown {
  return STATES[state] ?? { word: state, tone: 'calm', glyph: 'dot', means: state };
}

const ITEMS: Readonly<Record<string, Shown>> = {
  waiting: { word: 'waiting', tone: 'calm', glyph: 'ring', means: 'It has not begun.' },
  done: { word: 'done', tone: 'good', glyph: 'check', means: 'It was done.' },
  skipped: { word: 'skipped', tone: 'quiet', glyph: 'arrow', means: 'It did not apply any more.' },
  failed: { word: 'failed', tone: 'stuck', glyph: 'triangle', means: 'It could not be done.' },
};

export function itemShown(result: OperationItem['result']): Shown {
  return ITEMS[result] ?? { word: result, tone: 'calm', glyph: 'dot', means: result };
}
