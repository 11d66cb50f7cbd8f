/** The six numbers somebody on call looks at first. */
import type { AdminOverview } from '@concordat/client';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Glyph } from '../elements/glyph.js';
import { addressOf } from '../transactions/query.js';
import { count, duration, shortDuration } from '../wording/format.js';
import type { Glyph as GlyphName, Tone } from '../wording/status.js';

export function Headline({ overview }: { readonly overview: AdminOverview }) {
  const { inDoubt, stuck, heuristic, orphans, blockedSessions, decisionLatency } = overview;
  const oldest = inDoubt.oldestMs;
  return (
    <ul className="headline">
      <Stat
        name="Stuck"
        value={count(stuck)}
        says={blockedSessions > 0 ? `${count(blockedSessions)} sessions blocked` : 'nobody blocked'}
        href={addressOf({ view: 'stuck' })}
        tone={stuck > 0 ? 'stuck' : 'quiet'}
        glyph="diamond"
      />
      <Stat
        name="Heuristic"
        value={count(heuristic)}
        says={heuristic > 0 ? 'to be reconciled' : 'no services disagree'}
        href={addressOf({ view: 'heuristic' })}
        tone={heuristic > 0 ? 'heuristic' : 'quiet'}
        glyph="triangle"
      />
      <Stat
        name="Orphans"
        value={count(orphans)}
        says={orphans > 0 ? 'to be finished' : 'none found'}
        href="/orphans"
        tone={orphans > 0 ? 'stuck' : 'quiet'}
        glyph="question"
      />
      <Stat
        name="In doubt"
        value={count(inDoubt.transactions)}
        says={`${count(inDoubt.branches)} prepared branches`}
        href={addressOf({ view: 'in-doubt' })}
        tone={inDoubt.transactions > 0 ? 'waiting' : 'quiet'}
        glyph="half"
      />
      <Stat
        name="Oldest in doubt"
        value={oldest === undefined ? 'none' : shortDuration(oldest)}
        says={oldest === undefined ? 'nothing waits' : duration(oldest)}
        href={
          inDoubt.oldestTransactionId
            ? `/transactions/${encodeURIComponent(inDoubt.oldestTransactionId)}`
            : undefined
        }
        tone="quiet"
        glyph="arrow"
      />
      <Stat
        name="Decision"
        value={decisionLatency ? duration(decisionLatency.p50Ms) : 'none yet'}
        says={decisionLatency ? `p99 ${duration(decisionLatency.p99Ms)}` : 'since its start'}
        tone="quiet"
        glyph="check"
      />
    </ul>
  );
}

function Stat({
  name,
  value,
  says,
  href,
  tone,
  glyph,
}: {
  readonly name: string;
  readonly value: string;
  readonly says: ReactNode;
  readonly href?: string;
  readonly tone: Tone;
  readonly glyph: GlyphName;
}) {
  const content = (
    <>
      <span className="stat-name">
        <Glyph name={glyph} /> {name}
      </span>
      <span className="stat-value number">{value}</span>
      <span className="stat-says muted">{says}</span>
    </>
  );
  return (
    <li>
      {href ? (
        <Link href={href} className={`stat card tone-${tone}`}>
          {content}
        </Link>
      ) : (
        <div className={`stat card tone-${tone}`}>{content}</div>
      )}
    </li>
  );
}
