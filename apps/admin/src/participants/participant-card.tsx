/** One participant: its instances, slots, settings, and its oldest prepared branches with their locks. */
import { durationText } from '@concordat/words';
import type { AdminParticipant } from '@concordat/client';
import { Link } from 'wouter';
import { Badge } from '../elements/badge.js';
import { Instant } from '../elements/instant.js';
import { CheckList } from '../overview/check-list.js';
import { Held } from '../transaction/lock-impact.js';
import { Blockers } from '../waits/blockers.js';
import { SessionWaitLine } from '../waits/wait-line.js';
import { participantShown } from '../wording/branch.js';
import { count, idTail, plural } from '../wording/format.js';
import { NOT_KNOWN, undeliveredWords } from '../wording/known.js';
import { NotSeen } from './not-seen.js';
import { Retire } from './retire.js';
import { Slots } from './slots.js';

export function ParticipantCard({
  known,
  isOpen,
}: {
  readonly known: AdminParticipant;
  readonly isOpen: boolean;
}) {
  const { participant, state, lastError, lastSeenAt, blockedSessions } = known;
  return (
    <article
      className={`card participant${isOpen ? ' is-target' : ''}`}
      id={`participant-${participant}`}
      data-row={participant}
      tabIndex={-1}
    >
      <header className="orphan-head">
        <h2>{participant}</h2>
        <Badge shown={participantShown(state)} strong />
        {lastSeenAt ? (
          <span className="muted">
            last answer <Instant at={lastSeenAt} />
          </span>
        ) : null}
      </header>
      {lastError ? (
        <p className="participant-error">
          <span className="error-label">Last error</span> <code>{lastError}</code>
        </p>
      ) : null}
      <dl className="facts facts-wide">
        <div>
          <dt>In doubt</dt>
          <dd className="number">
            {known.inDoubt === undefined ? (
              <NotSeen known={known} />
            ) : (
              `${count(known.inDoubt)}${known.oldestMs === undefined ? '' : `, oldest ${durationText(known.oldestMs)}`}`
            )}
          </dd>
        </div>
        <div>
          <dt>Prepared slots</dt>
          <dd>
            <Slots used={known.slotsUsed} most={known.slotsMax} />
          </dd>
        </div>
        <div>
          <dt>Blocked sessions</dt>
          <dd className="number">
            {blockedSessions === undefined ? NOT_KNOWN : count(blockedSessions)}
          </dd>
        </div>
        <div>
          <dt>Waiting for locks</dt>
          <dd className="number">{waitingWords(known)}</dd>
        </div>
        <div>
          <dt>Instances</dt>
          <dd className="number">{count(known.instances)}</dd>
        </div>
      </dl>
      <Instances reports={known.instanceReports} />
      <Waits known={known} isOpen={isOpen} />
      <Prepared known={known} isOpen={isOpen} />
      {known.checks.length > 0 ? <CheckList checks={known.checks} /> : null}
      <Retire known={known} />
    </article>
  );
}

/** `3 branches, longest 4.2 s`; not known where no instance reports it. */
function waitingWords({
  waitingBranches,
  longestWaitMs,
  waitingWithoutSession = 0,
}: AdminParticipant): string {
  if (waitingBranches === undefined) return NOT_KNOWN;
  const longest = longestWaitMs === undefined ? '' : `, longest ${durationText(longestWaitMs)}`;
  const without = waitingWithoutSession > 0 ? `, ${waitingWithoutSession} without a session` : '';
  return `${plural(waitingBranches, 'branch', 'branches')}${longest}${without}`;
}

/** Who holds others up there, and who waits. */
function Waits({ known, isOpen }: { readonly known: AdminParticipant; readonly isOpen: boolean }) {
  const { participant, blockers = [], lockWaits = [] } = known;
  if (blockers.length === 0 && lockWaits.length === 0) return null;
  return (
    <>
      <Blockers blockers={blockers} label={`Who holds others up at ${participant}`} />
      <details open={isOpen}>
        <summary>{plural(lockWaits.length, 'wait')} for a lock, longest first</summary>
        <ul className="waits">
          {lockWaits.map((wait, at) => (
            <li key={at}>
              <SessionWaitLine wait={wait} />
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

function Instances({ reports }: { readonly reports: AdminParticipant['instanceReports'] }) {
  if (reports.length === 0) return null;
  return (
    <ul className="instances">
      {reports.map((one) => (
        <li key={one.instance}>
          <code>{one.instance}</code> <span className="muted">version {one.version}</span>{' '}
          <span>
            {one.openBranches === undefined
              ? 'open branches not known'
              : plural(one.openBranches, 'open branch', 'open branches')}
          </span>
          {one.limits ? (
            <span className="muted">
              {' '}
              (at most {one.limits.sessionsMax} open, {one.limits.inDoubtMax} in doubt)
            </span>
          ) : null}
          {one.database ? (
            <span className="muted">
              , database {one.database.name}, Postgres {one.database.version}
            </span>
          ) : null}
          <span className="muted">
            , operations: {one.operations ? one.operations.join(', ') || 'none' : 'not known'}
          </span>
          {one.lastError ? <code className="error-text">{one.lastError}</code> : null}
        </li>
      ))}
    </ul>
  );
}

/** Nothing is said to be nothing unless its database has just said so. */
function Prepared({
  known,
  isOpen,
}: {
  readonly known: AdminParticipant;
  readonly isOpen: boolean;
}) {
  const { prepared: branches, lastKnown } = known;
  if (branches === undefined) {
    return (
      <p className="not-known">
        What is prepared there is not known
        {lastKnown ? (
          <>
            ; its database was last seen <Instant at={lastKnown.at} />
          </>
        ) : null}
        ; {undeliveredWords(known)}.
      </p>
    );
  }
  if (branches.length === 0) return <p className="muted">Nothing is prepared there.</p>;
  return (
    <details open={isOpen}>
      <summary>
        {plural(branches.length, 'prepared branch', 'prepared branches')}, oldest first
      </summary>
      <div className="impact">
        {branches.map((one) => (
          <div key={one.gid}>
            <Link href={`/transactions/${encodeURIComponent(one.transactionId)}`}>
              <code>{idTail(one.transactionId)}</code>
            </Link>
            <Held prepared={one} />
          </div>
        ))}
      </div>
    </details>
  );
}
