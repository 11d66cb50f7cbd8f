/** What is shown in place of unknown numbers: since when, what was last known, what is left to deliver. */
import type { ParticipantSummary } from '@concordat/client';
import { Instant } from '../elements/instant.js';
import { NOT_KNOWN, undeliveredWords } from '../wording/known.js';
import { count } from '../wording/format.js';

export function NotSeen({ known }: { readonly known: ParticipantSummary }) {
  const { lastKnown, lastSeenAt } = known;
  return (
    <>
      <span className="muted">{NOT_KNOWN}</span>
      <div className="cell-note">
        {lastKnown ? (
          <>
            last seen <Instant at={lastKnown.at} />, {count(lastKnown.inDoubt)} then
          </>
        ) : lastSeenAt ? (
          'its database has not been seen'
        ) : (
          'never seen'
        )}
        ; {undeliveredWords(known)}
      </div>
    </>
  );
}
