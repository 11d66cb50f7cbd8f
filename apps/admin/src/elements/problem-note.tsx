/**
 * An error where it happened, in the coordinator's own words, with a way on. Guards "every message names
 * the remedy": nothing fails silently, and nothing is only red.
 */
import { explain } from '../api/problem.js';
import { Glyph } from './glyph.js';
import { Prose } from './prose.js';

export function ProblemNote({
  error,
  onRetry,
}: {
  readonly error: unknown;
  readonly onRetry?: () => void;
}) {
  const { title, detail, code } = explain(error);
  return (
    <div className="note note-problem" role="alert">
      <Glyph name="triangle" size={16} />
      <div className="note-text">
        <strong>{title}</strong>
        <p>
          <Prose text={detail} />
        </p>
        {code ? <code className="muted">{code}</code> : null}
      </div>
      {onRetry ? (
        <button type="button" className="button" onClick={onRetry}>
          Ask again
        </button>
      ) : null}
    </div>
  );
}
