/** One wait in a sentence: for what, since when, who holds it. */
import { thingWords } from '@concordat/words';
import type { LockWait, SessionWait } from '@concordat/client';
import { Fragment } from 'react';
import { Ago, Instant } from '../elements/instant.js';
import { plural } from '../wording/format.js';
import { Holder } from './holder.js';

export function WaitLine({ wait }: { readonly wait: LockWait }) {
  const { heldBy, ahead = 0, withoutSession, since } = wait;
  return (
    <>
      {withoutSession ? 'waits without a session, probably for ' : 'waits for '}
      <code>{thingWords(wait.for)}</code>
      {heldBy.length === 0 ? ', whose holder is not seen' : ', held by '}
      {heldBy.map((holder, at) => (
        <Fragment key={at}>
          {at > 0 ? ' and ' : ''}
          <Holder holder={holder} />
        </Fragment>
      ))}
      {ahead > 0 ? <span className="muted">, {plural(ahead, 'other')} ahead of it</span> : null}
      <span className="muted">
        {' '}
        since <Instant at={since} />, for <Ago at={since} />
      </span>
    </>
  );
}

/** With who waits. */
export function SessionWaitLine({ wait }: { readonly wait: SessionWait }) {
  return (
    <>
      <Holder holder={wait.waiter} /> <WaitLine wait={wait} />
    </>
  );
}
