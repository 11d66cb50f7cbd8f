/** The six numbers that a person on call looks at first. */
import { durationText, shortDurationText } from '@concordat/words';
import type { AdminOverview } from '@concordat/client';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Glyph } from '../elements/glyph.js';
import { addressOf } from '../transactions/query.js';
import { plural } from '../wording/format.js';
import { atLeast, blockingUntold, names, NOT_KNOWN } from '../wording/known.js';
import type { Glyph as GlyphName, Tone } from '../wording/status.js';

export function Headline({ overview }: { readonly overview: AdminOverview }) {
  return (
    <ul className="headline">
      <Needed overview={overview} />
      <Waiting overview={overview} />
    </ul>
  );
}

/** What needs attention. */
function Needed({ overview }: { readonly overview: AdminOverview }) {
  const { stuck, heuristic, orphans, blockedSessions = 0, notCompared } = overview;
  const untold = blockingUntold(overview);
  const isDark = untold.length > 0;
  const isUncompared = orphans === undefined || notCompared.length > 0;
  return (
    <>
      <Stat
        name="Stuck"
        value={atLeast(stuck, false)}
        says={
          blockedSessions > 0
            ? `${atLeast(blockedSessions, isDark)} ${blockedSessions === 1 ? 'session' : 'sessions'} blocked`
            : isDark
              ? `who waits at ${names(untold)} is not known`
              : 'no session blocked'
        }
        href={addressOf({ view: 'stuck' })}
        tone={stuck !== 0 ? 'stuck' : 'quiet'}
        glyph="diamond"
      />
      <Stat
        name="Heuristic"
        value={atLeast(heuristic, false)}
        says={heuristic !== 0 ? 'to be reconciled' : 'none on record'}
        href={addressOf({ view: 'heuristic' })}
        tone={heuristic !== 0 ? 'heuristic' : 'quiet'}
        glyph="triangle"
      />
      <Stat
        name="Orphans"
        value={atLeast(orphans, isUncompared)}
        says={
          isUncompared
            ? notCompared.length === 0
              ? 'not compared yet'
              : `${names(notCompared)} not compared`
            : orphans > 0
              ? 'to be finished'
              : 'none found'
        }
        href="/orphans"
        tone={orphans !== 0 || isUncompared ? 'stuck' : 'quiet'}
        glyph="question"
      />
    </>
  );
}

/** What waits, and how fast decisions are. */
function Waiting({ overview }: { readonly overview: AdminOverview }) {
  const { inDoubt, preparedBranches, notSeen, decisionLatency } = overview;
  const isDark = notSeen.length > 0;
  const oldest = inDoubt?.oldestMs;
  const id = inDoubt?.oldestTransactionId;
  return (
    <>
      <Stat
        name="In doubt"
        value={atLeast(inDoubt?.transactions, isDark)}
        says={
          isDark || preparedBranches === undefined
            ? `prepared at ${names(notSeen)}: not known`
            : plural(preparedBranches, 'prepared branch', 'prepared branches')
        }
        href={addressOf({ view: 'in-doubt' })}
        tone={inDoubt?.transactions !== 0 || isDark ? 'waiting' : 'quiet'}
        glyph="half"
      />
      <Stat
        name="Oldest in doubt"
        value={oldest === undefined ? (inDoubt ? 'none' : NOT_KNOWN) : shortDurationText(oldest)}
        says={oldest === undefined ? 'of the commits on record' : durationText(oldest)}
        href={id ? `/transactions/${encodeURIComponent(id)}` : undefined}
        tone="quiet"
        glyph="arrow"
      />
      <Stat
        name="Decision"
        value={decisionLatency ? durationText(decisionLatency.p50Ms) : 'none yet'}
        says={decisionLatency ? `p99 ${durationText(decisionLatency.p99Ms)}` : 'since its start'}
        tone="quiet"
        glyph="check"
      />
    </>
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
