/** The raw events, in order, with their details as they were noted. */
import type { TimelineEvent } from '@concordat/client';
import { Instant } from '../elements/instant.js';

export function EventLog({ events }: { readonly events: readonly TimelineEvent[] }) {
  if (events.length === 0) {
    return (
      <p className="muted">
        The journal holds nothing of it: it is written lazily, and losing it changes no decision.
      </p>
    );
  }
  return (
    <div className="table-wrap log" tabIndex={0} role="region" aria-label="Table of events">
      <table className="table table-tight">
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">At</th>
            <th scope="col">Event</th>
            <th scope="col">Participant</th>
            <th scope="col">Detail</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.sequence}>
              <td className="number muted">{event.sequence}</td>
              <td>
                <Instant at={event.at} withMs />
              </td>
              <td>{event.type}</td>
              <td>{event.participant ?? event.branch ?? ''}</td>
              <td>{event.detail ? <code>{JSON.stringify(event.detail)}</code> : null}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
