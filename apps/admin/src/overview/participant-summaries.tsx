/** The participants at a glance: state, in doubt, slots used of all, sessions that wait. */
import { shortDurationText } from '@concordat/words';
import type { ParticipantSummary } from '@concordat/client';
import { Link } from 'wouter';
import { Badge } from '../elements/badge.js';
import { participantShown } from '../wording/branch.js';
import { count } from '../wording/format.js';
import { NOT_KNOWN } from '../wording/known.js';
import { NotSeen } from '../participants/not-seen.js';
import { Slots } from '../participants/slots.js';

export function ParticipantSummaries({
  participants,
}: {
  readonly participants: readonly ParticipantSummary[];
}) {
  if (participants.length === 0) {
    return <p className="quiet-line muted">No participant has answered yet.</p>;
  }
  return (
    <div className="table-wrap" tabIndex={0} role="region" aria-label="Participants at a glance">
      <table className="table table-tight">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">State</th>
            <th scope="col">In doubt</th>
            <th scope="col">Oldest</th>
            <th scope="col">Slots</th>
            <th scope="col">Blocked</th>
          </tr>
        </thead>
        <tbody>
          {participants.map((one) => (
            <tr key={one.participant}>
              <th scope="row">
                <Link href={`/participants?name=${encodeURIComponent(one.participant)}`}>
                  {one.participant}
                </Link>
              </th>
              <td>
                <Badge shown={participantShown(one.state)} />
              </td>
              <td className="number">
                {one.inDoubt === undefined ? <NotSeen known={one} /> : count(one.inDoubt)}
              </td>
              <td className="number">
                {one.oldestMs === undefined ? (
                  <span className="muted">{one.inDoubt === undefined ? NOT_KNOWN : 'none'}</span>
                ) : (
                  shortDurationText(one.oldestMs)
                )}
              </td>
              <td>
                <Slots used={one.slotsUsed} most={one.slotsMax} />
              </td>
              <td className="number">
                {one.blockedSessions === undefined ? (
                  <span className="muted">{NOT_KNOWN}</span>
                ) : one.blockedSessions > 0 ? (
                  <strong className="tone-stuck">{count(one.blockedSessions)}</strong>
                ) : (
                  <span className="muted">0</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
