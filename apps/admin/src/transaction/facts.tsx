/** What else is known of a transaction: times, owner, deadline, cause, and who settled it. */
import { durationText } from '@concordat/words';
import type { AdminTransaction } from '@concordat/client';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Instant } from '../elements/instant.js';
import { Told } from '../elements/told.js';
import { names } from '../wording/known.js';
import { causeWords } from '../wording/status.js';

export function Facts({ detail }: { readonly detail: AdminTransaction }) {
  const { transaction: known, finisher, ownerAlive } = detail;
  const facts: (readonly [string, ReactNode])[] = [
    ['Begun', known.begunAt && <Instant at={known.begunAt} withMs />],
    ['Decided', known.decidedAt && <Instant at={known.decidedAt} withMs />],
    ['Ended', known.endedAt && <Instant at={known.endedAt} withMs />],
    ['Time-out', known.timeoutMs === undefined ? undefined : durationText(known.timeoutMs)],
    ['Time left', known.timeLeftMs === undefined ? undefined : durationText(known.timeLeftMs)],
    ['Client', known.principal && <Told text={known.principal} />],
    ['Why aborted', known.cause && <Cause cause={known.cause} />],
    [
      'Owner',
      <>
        <code>{known.owner}</code> {ownerAlive === undefined ? '' : ownerAlive ? 'alive' : 'gone'}
      </>,
    ],
    ['Finished by', finisher && <code>{finisher}</code>],
    ['Resolved', known.resolved && <Resolved resolved={known.resolved} />],
    ['Version', String(known.version)],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) =>
        value === undefined || value === '' ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

function Cause({
  cause,
}: {
  readonly cause: NonNullable<AdminTransaction['transaction']['cause']>;
}) {
  const { kind, participant, code, reason, missing, winner } = cause;
  return (
    <>
      {causeWords(kind)}
      {participant ? `, at ${participant}` : ''}
      {code ? ` (${code})` : ''}
      {reason ? (
        <>
          : <Told text={reason} />
        </>
      ) : null}
      {missing && missing.length > 0 ? `; no vote from ${names(missing)}` : ''}
      {winner ? (
        <>
          ; <Link href={`/transactions/${encodeURIComponent(winner)}`}>the one that committed</Link>
        </>
      ) : null}
    </>
  );
}

function Resolved({ resolved }: { readonly resolved: { at: string; by: string; reason: string } }) {
  return (
    <>
      <Instant at={resolved.at} /> by <Told text={resolved.by} />: <Told text={resolved.reason} />
    </>
  );
}
