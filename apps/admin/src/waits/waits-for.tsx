/** What a branch waits for, as it was last reported. */
import type { BranchWaits } from '@concordat/client';
import { Instant } from '../elements/instant.js';
import { WaitLine } from './wait-line.js';
import { notKnownWords } from './wait-words.js';

export function WaitsFor({ told }: { readonly told: BranchWaits }) {
  const notKnown = notKnownWords(told);
  if (notKnown) return <span className="muted">{notKnown}</span>;
  return (
    <ul className="waits">
      {told.waits.map((wait, at) => (
        <li key={at}>
          <WaitLine wait={wait} />
          {told.asOf ? (
            <span className="muted">
              , last reported <Instant at={told.asOf} />
            </span>
          ) : null}
        </li>
      ))}
    </ul>
  );
}
