/** A span for each message of a transaction that a participant answers, with its answer. */
import { inSpan } from '@concordat/channel';
import type { BranchAddress, TraceContext } from '@concordat/engine';

/** The parts of a request that a span records. */
interface Traced {
  readonly to: BranchAddress;
  readonly trace?: TraceContext;
}

/** The parts of the answers to work, prepare and finish that a span records. */
interface Answered {
  readonly kind?: string;
  readonly vote?: { readonly kind: string; readonly code?: string };
  readonly result?: { readonly kind: string; readonly code?: string };
  readonly outcome?: { readonly kind: string; readonly code?: string };
}

/** Answers a message in a span `concordat work`, `prepare`, `commit` or `abort`. */
export function traced<T extends object>(
  round: 'work' | 'prepare' | 'commit' | 'abort',
  { to, trace }: Traced,
  answer: () => Promise<T>,
): Promise<T> {
  const attributes = {
    'concordat.transaction': to.transaction,
    'concordat.branch': to.branch,
    'concordat.participant': to.participant,
  };
  return inSpan(`concordat ${round}`, { trace, attributes }, answer, (answered) => {
    const { kind, vote, result, outcome } = answered as Answered;
    const said = vote ?? result ?? outcome;
    return {
      'concordat.answer': said?.kind ?? kind ?? 'unknown',
      ...(said?.code ? { 'concordat.code': said.code } : {}),
    };
  });
}
