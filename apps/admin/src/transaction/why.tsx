/**
 * One sentence why, one what happens next, and when. Guards "no mental arithmetic": the countdown runs.
 */
import type { AdminTransaction } from '@concordat/client';
import { Glyph } from '../elements/glyph.js';
import { Ago, Until } from '../elements/instant.js';
import { Prose } from '../elements/prose.js';
import { Told } from '../elements/told.js';
import { useNow } from '../live/clock.js';
import { plural } from '../wording/format.js';
import { severityShown } from '../wording/status.js';

export function Why({ detail }: { readonly detail: AdminTransaction }) {
  const { explanation, transaction, branches } = detail;
  const { tone, glyph } = severityShown(explanation.severity);
  const prepared = branches.reduce((sum, one) => sum + (one.prepared?.waiters.length ?? 0), 0);
  const waiters = Math.max(prepared, detail.blocks?.sessions ?? 0);
  const since = transaction.endedAt ?? transaction.decidedAt ?? transaction.begunAt;
  return (
    <section className={`why card tone-${tone}`} aria-label="Why, and what happens next">
      <div className="why-mark">
        <Glyph name={glyph} size={22} />
      </div>
      <div className="why-text">
        <p className="why-why">
          <Prose text={explanation.why} />
        </p>
        <p className="why-next">
          <span className="why-label">Next</span>
          <span>
            <Prose text={explanation.next} />
            <NextAt at={explanation.nextAt} />
          </span>
        </p>
        <p className="why-measures">
          {since ? (
            <span>
              {transaction.endedAt ? 'ended' : transaction.decidedAt ? 'decided' : 'begun'}{' '}
              <strong>
                <Ago at={since} />
              </strong>{' '}
              ago
            </span>
          ) : null}
          {waiters > 0 ? (
            <span className="tone-stuck">
              <Glyph name="diamond" /> blocks <strong>{plural(waiters, 'session')}</strong>
            </span>
          ) : null}
          <Acted audit={detail.audit} />
          {detail.ownerAlive === false && !transaction.endedAt ? (
            <span>
              its coordinator is gone
              {transaction.decision === 'commit' ? '; another takes it over' : ''}
            </span>
          ) : null}
        </p>
      </div>
    </section>
  );
}

/** That people have acted on it, and who did last: the audit itself is further down. */
function Acted({ audit }: Pick<AdminTransaction, 'audit'>) {
  const [last] = audit;
  if (!last) return null;
  return (
    <a href="#audit">
      {plural(audit.filter((one) => one.phase === 'asked').length || audit.length, 'action')} in the
      audit, the last by <Told text={last.by} /> <Ago at={last.at} /> ago
    </a>
  );
}

function NextAt({ at }: { readonly at: string | undefined }) {
  const nowMs = useNow();
  if (!at) return null;
  const isDue = Date.parse(at) - nowMs < 1_000;
  return (
    <strong className="why-countdown">
      {isDue ? ' Due ' : ' In '}
      <Until at={at} />
    </strong>
  );
}
