/**
 * Votes, outcomes and participants as people read them. Guards "vote, decision and outcome never mix":
 * each has words of its own.
 */
import type { AdminBranch, BranchOutcome, Orphan, Vote } from '@concordat/client';
import type { Shown } from './status.js';

export function voteShown(vote: Vote | undefined): Shown {
  switch (vote?.kind) {
    case undefined:
      return { word: 'no vote', tone: 'calm', glyph: 'ring', means: 'It has not answered.' };
    case 'prepared':
      return {
        word: 'prepared',
        tone: 'waiting',
        glyph: 'half',
        means: 'It voted to commit, and holds locks until it gets the decision.',
      };
    case 'read-only':
      return {
        word: 'read-only',
        tone: 'quiet',
        glyph: 'ring',
        means: 'It wrote nothing, so it needs no decision.',
      };
    case 'committed':
      return {
        word: 'committed',
        tone: 'good',
        glyph: 'check',
        means: 'The only branch, it committed in one phase: that was the decision.',
      };
    case 'no':
      return { word: 'no', tone: 'stuck', glyph: 'cross', means: 'It refused; nothing is held.' };
    default:
      return { word: vote?.kind ?? '', tone: 'calm', glyph: 'dot', means: vote?.kind ?? '' };
  }
}

export function outcomeShown({ kind }: BranchOutcome): Shown {
  switch (kind) {
    case 'committed':
      return { word: 'committed', tone: 'good', glyph: 'check', means: 'Its work is in effect.' };
    case 'aborted':
      return { word: 'rolled back', tone: 'quiet', glyph: 'back', means: 'Its work is undone.' };
    case 'heuristic':
      return {
        word: 'heuristic',
        tone: 'heuristic',
        glyph: 'triangle',
        means: 'It was finished without or against the decision.',
      };
    default:
      return { word: kind, tone: 'calm', glyph: 'dot', means: kind };
  }
}

/** What its database says of a branch now. A word of a newer coordinator is no "not prepared". */
export function inDatabaseWords(inDatabase: AdminBranch['inDatabase']): string {
  switch (inDatabase) {
    case 'prepared':
      return 'prepared';
    case 'not-prepared':
      return 'not prepared';
    case 'finished':
      return 'finished';
    case 'not-known':
    default:
      return 'not known';
  }
}

export function participantShown(state: AdminBranch['participantState']): Shown {
  switch (state) {
    case 'up':
      return { word: 'up', tone: 'good', glyph: 'check', means: 'It answers.' };
    case 'troubled':
      return {
        word: 'troubled',
        tone: 'waiting',
        glyph: 'triangle',
        means: 'It answers, and says that something is wrong.',
      };
    case 'silent':
      return {
        word: 'silent',
        tone: 'stuck',
        glyph: 'cross',
        means: 'It answers nothing now.',
      };
    case 'unknown':
      return {
        word: 'not known',
        tone: 'stuck',
        glyph: 'question',
        means: 'No participant of this name is known: none has answered, or it was retired.',
      };
    default:
      return { word: state, tone: 'calm', glyph: 'dot', means: state };
  }
}

const ORPHAN: Readonly<Record<string, Pick<Shown, 'word' | 'means'>>> = {
  'prepared-unknown': {
    word: 'prepared, unknown here',
    means: 'Prepared there, and neither live nor decided here.',
  },
  'prepared-decided': {
    word: 'prepared, decided here',
    means: 'Prepared there, decided here, and no coordinator finishes it.',
  },
  'prepared-forgotten': {
    word: 'prepared, forgotten here',
    means: 'Prepared there, and past retention: the decision is no longer known.',
  },
  'committed-undecided': {
    word: 'committed, undecided',
    means: 'Committed there, and not committed here.',
  },
  'decided-lost': {
    word: 'decided, lost there',
    means: 'Decided commit here, not confirmed, and neither prepared nor committed there.',
  },
};

export function orphanShown(kind: Orphan['kind']): Shown {
  const { word, means } = ORPHAN[kind] ?? { word: kind, means: kind };
  const isLost = kind === 'committed-undecided' || kind === 'decided-lost';
  return {
    word,
    means,
    tone: isLost ? 'heuristic' : 'stuck',
    glyph: isLost ? 'triangle' : 'diamond',
  };
}
