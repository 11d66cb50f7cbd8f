/**
 * States as people read them: a word, a tone and a shape. Guards "never colour alone": every tone has a
 * glyph of its own, and an unknown state of a newer coordinator still shows, by its own name.
 */
import type { AbortCause, Explanation, TransactionStatus } from '@concordat/client';

/** What a colour means on every page. */
export type Tone = 'calm' | 'good' | 'waiting' | 'stuck' | 'heuristic' | 'quiet';

export type Glyph =
  | 'dot'
  | 'ring'
  | 'half'
  | 'diamond'
  | 'arrow'
  | 'back'
  | 'check'
  | 'cross'
  | 'triangle'
  | 'question';

export interface Shown {
  readonly word: string;
  readonly tone: Tone;
  readonly glyph: Glyph;
  readonly means: string;
}

const STATUS: Readonly<Record<string, Shown>> = {
  active: { word: 'active', tone: 'calm', glyph: 'ring', means: 'Open: work is being done.' },
  preparing: {
    word: 'preparing',
    tone: 'calm',
    glyph: 'half',
    means: 'The participants have been asked to vote.',
  },
  deciding: {
    word: 'deciding',
    tone: 'waiting',
    glyph: 'diamond',
    means:
      'The decision is being made: put on record once all have voted, or asked of the only participant.',
  },
  undecided: {
    word: 'undecided',
    tone: 'waiting',
    glyph: 'question',
    means: 'Nothing is decided. Branches that prepared wait for a decision.',
  },
  committing: {
    word: 'committing',
    tone: 'waiting',
    glyph: 'arrow',
    means: 'Commit is decided, and some branch has not confirmed it yet.',
  },
  aborting: {
    word: 'aborting',
    tone: 'waiting',
    glyph: 'back',
    means: 'Abort is decided, and some branch has not confirmed it yet.',
  },
  committed: {
    word: 'committed',
    tone: 'good',
    glyph: 'check',
    means: 'Every branch has committed.',
  },
  aborted: { word: 'aborted', tone: 'quiet', glyph: 'cross', means: 'No branch has committed.' },
  'heuristic-mixed': {
    word: 'heuristic · mixed',
    tone: 'heuristic',
    glyph: 'triangle',
    means: 'A branch was finished against the decision: services disagree.',
  },
  'heuristic-hazard': {
    word: 'heuristic · hazard',
    tone: 'heuristic',
    glyph: 'question',
    means: 'What became of a branch is no longer known.',
  },
};

export function statusShown(status: TransactionStatus): Shown {
  return STATUS[status] ?? { word: status, tone: 'calm', glyph: 'dot', means: status };
}

const SEVERITY: Readonly<Record<Explanation['severity'], Shown>> = {
  fine: { word: 'fine', tone: 'good', glyph: 'check', means: 'Nothing is needed.' },
  waiting: {
    word: 'waiting',
    tone: 'waiting',
    glyph: 'half',
    means: 'It goes on by itself shortly.',
  },
  stuck: {
    word: 'stuck',
    tone: 'stuck',
    glyph: 'diamond',
    means: 'Something outside it must come back, or be settled.',
  },
  heuristic: {
    word: 'heuristic',
    tone: 'heuristic',
    glyph: 'triangle',
    means: 'Services disagree, or may: a person must reconcile them.',
  },
};

export function severityShown(severity: Explanation['severity']): Shown {
  return SEVERITY[severity] ?? SEVERITY.waiting;
}

const CAUSE: Readonly<Record<string, string>> = {
  vote: 'a branch voted no',
  unreachable: 'a participant was not reached',
  deadline: 'the deadline passed',
  'rollback-requested': 'the client asked for it',
  'doubtful-work': 'it was doubtful which work was done',
  'given-up': 'its coordinator gave it up before the deadline',
  'idempotency-key': 'the same key had committed already',
  operator: 'an operator aborted it',
  undetermined: 'it was unknown, so an abort was recorded',
};

export function causeWords(kind: AbortCause['kind']): string {
  return CAUSE[kind] ?? kind;
}
