/**
 * One orphan: what was found where, the verdict, and what may be done.
 */
import { durationText } from '@concordat/words';
import type { Orphan, OrphanAction, OrphanActionResult } from '@concordat/client';
import { useState } from 'react';
import { Link } from 'wouter';
import { whyMayNot } from '../actions/role.js';
import { actionName, isForce, resultWords } from '../actions/wording.js';
import { Badge, DecisionBadge } from '../elements/badge.js';
import { CopyButton } from '../elements/copy-button.js';
import { Instant } from '../elements/instant.js';
import { Prose } from '../elements/prose.js';
import { useSession } from '../session/session.js';
import { Held } from '../transaction/lock-impact.js';
import { orphanShown } from '../wording/branch.js';
import { OrphanDialog } from './orphan-dialog.js';

export function OrphanCard({ orphan }: { readonly orphan: Orphan }) {
  const [open, setOpen] = useState<OrphanAction>();
  const [result, setResult] = useState<OrphanActionResult>();
  const { gid, participant, transactionId, heldMs, prepared, verdict, foundAt } = orphan;
  return (
    <article
      className="card orphan"
      data-row={gid}
      tabIndex={-1}
      aria-label={`Orphan at ${participant}`}
    >
      <header className="orphan-head">
        <h2>{participant}</h2>
        <Badge shown={orphanShown(orphan.kind)} strong />
        {verdict ? <DecisionBadge decision={verdict} /> : null}
        {heldMs === undefined ? null : (
          <span className="number">prepared for {durationText(heldMs)}</span>
        )}
        {foundAt ? (
          <span className="muted">
            found <Instant at={foundAt} />, not compared the last time
          </span>
        ) : null}
      </header>
      <p className="orphan-evidence">
        <Prose text={orphan.evidence} />
      </p>
      <p>
        <span className="why-label">Next</span> <Prose text={orphan.next} />
      </p>
      <div className="gid">
        <code className="muted">{gid}</code>
        <CopyButton text={gid} what="the gid" />
        <Link href={`/transactions/${encodeURIComponent(transactionId)}`}>its transaction</Link>
      </div>
      {prepared && prepared.locks.length > 0 ? (
        <details>
          <summary>What it holds</summary>
          <Held prepared={prepared} />
        </details>
      ) : null}
      <ul className="action-list action-row">
        {orphan.actions.map((one) => (
          <Offered key={one.action} action={one} onBegin={() => setOpen(one)} gid={gid} />
        ))}
      </ul>
      <div aria-live="polite">
        {result ? (
          <p className="note note-good">
            <strong>{resultWords(result.result)}</strong> <Prose text={result.summary} />
          </p>
        ) : null}
      </div>
      {open ? (
        <OrphanDialog
          orphan={orphan}
          action={open}
          onClose={() => setOpen(undefined)}
          onDone={(done) => {
            setOpen(undefined);
            setResult(done);
          }}
        />
      ) : null}
    </article>
  );
}

function Offered({
  action,
  gid,
  onBegin,
}: {
  readonly action: OrphanAction;
  readonly gid: string;
  readonly onBegin: () => void;
}) {
  const mayNot = whyMayNot(useSession().role, action.needs.role);
  const offered = action.offered && mayNot === undefined;
  const because = action.offered ? mayNot : action.because;
  const says = `says-${action.action}-${gid}`;
  return (
    <li>
      <button
        type="button"
        className={`button${isForce(action.action) ? ' button-danger' : ''}`}
        aria-disabled={!offered}
        aria-describedby={says}
        onClick={() => (offered ? onBegin() : undefined)}
      >
        {actionName(action.action)} …
      </button>
      <small id={says} className={offered ? 'muted' : 'because'}>
        <Prose
          text={offered ? action.consequence : `Not now. ${because ?? 'It is not offered.'}`}
        />
      </small>
    </li>
  );
}
