/**
 * The head of a page: its one heading, what it is about, and what is beside it. Also names the
 * browser's tab.
 */
import { useEffect, type ReactNode } from 'react';

export function PageHead({
  title,
  says,
  children,
}: {
  readonly title: string;
  readonly says?: ReactNode;
  readonly children?: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Concordat`;
  }, [title]);
  return (
    <div className="page-head">
      <div>
        <h1>
          <bdi>{title}</bdi>
        </h1>
        {says ? <p className="muted">{says}</p> : null}
      </div>
      {children ? <div className="page-head-side">{children}</div> : null}
    </div>
  );
}
