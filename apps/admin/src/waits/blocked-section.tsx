/** What waits for something that the transaction holds, also while it is open. */
import type { AdminTransaction } from '@concordat/client';
import { Instant } from '../elements/instant.js';
import { Section } from '../elements/section.js';
import { names } from '../wording/known.js';
import { plural } from '../wording/format.js';
import { SessionWaitLine } from './wait-line.js';

export function BlockedSection({ detail }: { readonly detail: AdminTransaction }) {
  const { blocks, waiters = [] } = detail;
  if (!blocks) return null;
  return (
    <Section
      title="Holds others up"
      says={
        <>
          {plural(blocks.sessions, 'session waits', 'sessions wait')} for what it holds at{' '}
          {names(blocks.participants)}, since <Instant at={blocks.since} />; last reported{' '}
          <Instant at={blocks.asOf} />.
        </>
      }
    >
      <ul className="waits">
        {waiters.map((wait, at) => (
          <li key={at}>
            <SessionWaitLine wait={wait} />
            <span className="muted"> at {wait.participant}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
