/**
 * What is shown where there is nothing. Guards "nothing found is not the same as not looked": it says when
 * the last look was.
 */
import type { ReactNode } from 'react';
import { Glyph } from './glyph.js';
import { Instant } from './instant.js';

export function Empty({
  title,
  children,
  lookedAt,
}: {
  readonly title: string;
  readonly children?: ReactNode;
  readonly lookedAt?: string;
}) {
  return (
    <div className="empty">
      <Glyph name="check" size={20} />
      <strong>{title}</strong>
      {children ? <p>{children}</p> : null}
      {lookedAt ? (
        <p className="muted">
          Last looked at <Instant at={lookedAt} />.
        </p>
      ) : null}
    </div>
  );
}
