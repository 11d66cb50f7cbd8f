/**
 * A state in a word, with its shape and colour. Guards "never colour alone".
 */
import type { Decision, TransactionStatus } from '@concordat/client';
import { statusShown, type Shown } from '../wording/status.js';
import { Glyph } from './glyph.js';

export function Badge({ shown, strong }: { readonly shown: Shown; readonly strong?: boolean }) {
  return (
    <span
      className={`badge tone-${shown.tone}${strong ? ' badge-strong' : ''}`}
      title={shown.means}
    >
      <Glyph name={shown.glyph} />
      {shown.word}
    </span>
  );
}

export function StatusBadge({ status }: { readonly status: TransactionStatus }) {
  return <Badge shown={statusShown(status)} />;
}

/** The decision, or that there is none. */
export function DecisionBadge({ decision }: { readonly decision?: Decision }) {
  if (!decision) {
    return (
      <Badge
        shown={{
          word: 'no decision',
          tone: 'calm',
          glyph: 'ring',
          means: 'Nothing has been decided.',
        }}
      />
    );
  }
  const commit = decision === 'commit';
  return (
    <Badge
      shown={{
        word: `${decision} decided`,
        tone: commit ? 'good' : 'quiet',
        glyph: commit ? 'check' : 'cross',
        means: 'Durable; it can not change any more.',
      }}
    />
  );
}
