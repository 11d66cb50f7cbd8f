/** A part of a page with a heading of its own, so that it can be found by heading. */
import { useId, type ReactNode } from 'react';

export function Section({
  title,
  says,
  aside,
  children,
}: {
  readonly title: string;
  readonly says?: ReactNode;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}) {
  const heading = useId();
  return (
    <section className="section card" aria-labelledby={heading}>
      <div className="section-head">
        <h2 id={heading}>{title}</h2>
        {says ? <p className="muted">{says}</p> : null}
        {aside ? <div className="section-aside">{aside}</div> : null}
      </div>
      {children}
    </section>
  );
}
