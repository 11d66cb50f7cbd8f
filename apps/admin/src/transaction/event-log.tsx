/** The raw events, in order, with their details as they were noted. */
import type { TimelineEvent } from '@concordat/client';
import { Fragment, useState } from 'react';
import { Instant } from '../elements/instant.js';
import { Told } from '../elements/told.js';
import { runWords, withRuns } from './event-runs.js';

export function EventLog({ events }: { readonly events: readonly TimelineEvent[] }) {
  if (events.length === 0) {
    return (
      <p className="muted">
        The history holds nothing of it: it is written lazily, and losing it changes no decision.
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
          {withRuns(events).map((entry) =>
            entry.kind === 'event' ? (
              <EventRow key={entry.event.sequence} event={entry.event} />
            ) : (
              <Run key={entry.events[0]?.sequence} events={entry.events} />
            ),
          )}
        </tbody>
      </table>
    </div>
  );
}

function EventRow({ event }: { readonly event: TimelineEvent }) {
  const { sequence, at, type, participant, branch, detail } = event;
  return (
    <tr>
      <td className="number muted">{sequence}</td>
      <td>
        <Instant at={at} withMs />
      </td>
      <td>{type}</td>
      <td>{participant ?? branch ?? ''}</td>
      <td>
        {detail ? (
          <code>
            <Told text={JSON.stringify(detail)} />
          </code>
        ) : null}
      </td>
    </tr>
  );
}

/** Attempts one after the other: their number and their times, and each of them when asked. */
function Run({ events }: { readonly events: readonly TimelineEvent[] }) {
  const [open, setOpen] = useState(false);
  const [first, last] = [events[0], events.at(-1)];
  if (!first || !last) return null;
  const participants = [...new Set(events.map((one) => one.participant ?? one.branch ?? ''))];
  return (
    <Fragment>
      <tr className="event-run">
        <td className="number muted">
          {first.sequence}–{last.sequence}
        </td>
        <td>
          <Instant at={first.at} withMs /> to <Instant at={last.at} withMs />
        </td>
        <td>{runWords(events)}</td>
        <td>
          {participants.length > 3
            ? `${participants.length} participants`
            : participants.join(', ')}
        </td>
        <td>
          <button
            type="button"
            className="button button-small"
            aria-expanded={open}
            onClick={() => setOpen(!open)}
          >
            {open ? 'Fold' : 'Show each'}
          </button>
        </td>
      </tr>
      {open ? events.map((event) => <EventRow key={event.sequence} event={event} />) : null}
    </Fragment>
  );
}
