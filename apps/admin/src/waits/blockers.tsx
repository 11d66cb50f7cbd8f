/** Who holds branches up and is no transaction in a list: sessions and prepared transactions of others. */
import type { Blocker } from '@concordat/client';
import { Fragment } from 'react';
import { Link } from 'wouter';
import { Glyph } from '../elements/glyph.js';
import { Ago, Instant } from '../elements/instant.js';
import { plural } from '../wording/format.js';
import { Holder, TransactionLink } from './holder.js';

export function Blockers({
  blockers,
  label,
}: {
  readonly blockers: readonly Blocker[];
  readonly label: string;
}) {
  if (blockers.length === 0) return null;
  return (
    <ul className="waits blockers" aria-label={label}>
      {blockers.map((one, at) => (
        <li key={at}>
          <Glyph name="diamond" />{' '}
          <Link href={`/participants?name=${encodeURIComponent(one.participant)}`}>
            {one.participant}
          </Link>
          : <Holder holder={one.holder} /> blocks <strong>{plural(one.sessions, 'session')}</strong>
          <span className="muted">
            {' '}
            since <Instant at={one.since} />, for <Ago at={one.since} />
          </span>
          {one.transactions.length > 0 ? ', of ' : null}
          {one.transactions.map((id, n) => (
            <Fragment key={id}>
              {n > 0 ? ', ' : ''}
              <TransactionLink id={id} />
            </Fragment>
          ))}
        </li>
      ))}
    </ul>
  );
}
