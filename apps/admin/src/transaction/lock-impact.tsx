/**
 * What the branches hold, and who waits for it. Guards "stuck first by harm": the harm is named, down to
 * the session.
 */
import { durationText } from '@concordat/words';
import type { AdminBranch, PreparedBranch, Waiter } from '@concordat/client';
import { useFold } from '../elements/fold.js';
import { Glyph } from '../elements/glyph.js';
import { Section } from '../elements/section.js';
import { Told } from '../elements/told.js';
import { plural } from '../wording/format.js';

const HELD_SHOWN = 6;

/** Those with waiters come first, then those that have held the longest. */
function blocking(holding: readonly PreparedBranch[], most: number): readonly PreparedBranch[] {
  const harm = (one: PreparedBranch): number => one.waiters.length;
  return [...holding].sort((a, b) => harm(b) - harm(a) || b.heldMs - a.heldMs).slice(0, most);
}

export function LockImpact({ branches }: { readonly branches: readonly AdminBranch[] }) {
  const holding = branches.flatMap(({ prepared }) => (prepared ? [prepared] : []));
  const { shown, button } = useFold(holding, {
    most: HELD_SHOWN,
    what: 'branches',
    pick: blocking,
  });
  if (holding.length === 0) return null;
  const waiters = holding.reduce((sum, one) => sum + one.waiters.length, 0);
  const isCut = holding.some((one) => one.truncated);
  const whoWaits = isCut
    ? 'who waits for them is not known.'
    : 'no session waits for them at present.';
  return (
    <Section
      title="Lock impact"
      says={
        waiters === 0
          ? `It holds locks; ${whoWaits}`
          : `${plural(waiters, 'session waits', 'sessions wait')} for what it holds.`
      }
    >
      <div className="impact">
        {shown.map((prepared) => (
          <Held key={prepared.gid} prepared={prepared} />
        ))}
      </div>
      {button}
    </Section>
  );
}

export function Held({ prepared }: { readonly prepared: PreparedBranch }) {
  const { participant, locks, waiters, heldMs, truncated } = prepared;
  return (
    <div className="held">
      <h3>
        {participant} <span className="muted">holds for {durationText(heldMs)}</span>
      </h3>
      <ul className="locks">
        {locks.length === 0 ? <li className="muted">no lock that its role may see</li> : null}
        {locks.map((lock, index) => (
          <li key={index}>
            <code>{lock.relation}</code> <span className="muted">{lock.mode}</span>
            {lock.rows && lock.rows.length > 0 ? (
              <span className="rows">
                {lock.rows.map((row) => (
                  <code key={row}>{row}</code>
                ))}
              </span>
            ) : null}
          </li>
        ))}
      </ul>
      {waiters.length === 0 ? (
        <p className="muted">{truncated ? 'Who waits is not known.' : 'No session waits.'}</p>
      ) : (
        <ul className="waiters" aria-label={`Sessions that wait at ${participant}`}>
          {waiters.map((waiter) => (
            <WaiterLine key={waiter.pid} waiter={waiter} />
          ))}
        </ul>
      )}
    </div>
  );
}

function WaiterLine({ waiter }: { readonly waiter: Waiter }) {
  const { pid, waitingMs, relation, mode, behind, application, query } = waiter;
  return (
    <li className={behind === undefined ? '' : 'is-behind'}>
      <span className="waiter-head">
        <Glyph name={behind === undefined ? 'diamond' : 'arrow'} />
        <strong className="number">pid {pid}</strong>
        {application ? (
          <span>
            <Told text={application} />
          </span>
        ) : null}
        {waitingMs === undefined ? null : (
          <span className="number tone-stuck">waits {durationText(waitingMs)}</span>
        )}
        <span className="muted">
          {behind === undefined ? 'for the branch' : `behind pid ${behind}`}
          {relation ? `, on ${relation}` : ''}
          {mode ? ` (${mode})` : ''}
        </span>
      </span>
      {query ? (
        <code className="waiter-query">
          <Told text={query} />
        </code>
      ) : null}
    </li>
  );
}
