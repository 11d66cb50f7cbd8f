/**
 * The branches as a table: vote, outcome, attempts, next, last error, and what its database says now.
 */
import { durationText } from '@concordat/words';
import type { AdminBranch } from '@concordat/client';
import { Link } from 'wouter';
import { Badge } from '../elements/badge.js';
import { useFold } from '../elements/fold.js';
import { Told } from '../elements/told.js';
import { CopyButton } from '../elements/copy-button.js';
import { Instant, Until } from '../elements/instant.js';
import { WaitsFor } from '../waits/waits-for.js';
import { count } from '../wording/format.js';
import { BRANCHES_SHOWN, thatMatter } from './matters.js';
import { inDatabaseWords, outcomeShown, participantShown, voteShown } from '../wording/branch.js';

const HEADS = ['Participant', 'Vote', 'Outcome', 'In its database', 'Attempts', 'Next', 'Work'];

export function BranchTable({ branches }: { readonly branches: readonly AdminBranch[] }) {
  const { shown, button } = useFold(branches, {
    most: BRANCHES_SHOWN,
    what: 'branches',
    pick: thatMatter,
  });
  return (
    <div className="table-wrap" tabIndex={0} role="region" aria-label="Table of branches">
      <table className="table table-stack">
        <thead>
          <tr>
            {HEADS.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((branch) => (
            <BranchRows key={branch.branch} branch={branch} />
          ))}
        </tbody>
      </table>
      {button}
    </div>
  );
}

/** The participant, how it is, and the branch's name in its database. */
function Named({ branch }: { readonly branch: AdminBranch }) {
  const { participant, participantState, gid } = branch;
  return (
    <th scope="row">
      <Link href={`/participants?name=${encodeURIComponent(participant)}`}>{participant}</Link>
      {participantState === 'up' ? null : (
        <>
          {' '}
          <Badge shown={participantShown(participantState)} />
        </>
      )}
      <div className="gid">
        <code className="muted">{gid}</code>
        <CopyButton text={gid} what={`the gid of ${participant}`} />
      </div>
    </th>
  );
}

function BranchRows({ branch }: { readonly branch: AdminBranch }) {
  const { vote, outcome } = branch;
  return (
    <>
      <tr>
        <Named branch={branch} />
        <td data-name="Vote">
          <Badge shown={voteShown(vote)} />
          {vote?.code ? <div className="cell-note">{vote.code}</div> : null}
          {vote?.reason ? (
            <div className="cell-note">
              <Told text={vote.reason} />
            </div>
          ) : null}
        </td>
        <td data-name="Outcome">
          {outcome ? (
            <Badge shown={outcomeShown(outcome)} />
          ) : (
            <span className="muted">{vote?.kind === 'read-only' ? 'needs none' : 'none yet'}</span>
          )}
          {outcome?.evidence ? (
            <div className="cell-note">{outcome.evidence.explanation}</div>
          ) : null}
        </td>
        <td data-name="In its database">
          <InDatabase branch={branch} />
        </td>
        <td data-name="Attempts" className="number">
          {count(branch.attempts)}
        </td>
        <td data-name="Next">
          {branch.nextAttemptAt ? (
            <Until at={branch.nextAttemptAt} />
          ) : (
            <span className="muted">none</span>
          )}
        </td>
        <td data-name="Work">
          {branch.operations.join(', ') || <span className="muted">none</span>}
          <div className="cell-note">{branch.work}</div>
        </td>
      </tr>
      <Notes branch={branch} />
    </>
  );
}

/** Beneath the row: what it waits for, and what went wrong last. */
function Notes({ branch }: { readonly branch: AdminBranch }) {
  const { waitsFor, lastError, outcome } = branch;
  return (
    <>
      {waitsFor && (waitsFor.waits.length > 0 || !waitsFor.known) ? (
        <tr className="error-row">
          <td colSpan={HEADS.length}>
            <WaitsFor told={waitsFor} />
          </td>
        </tr>
      ) : null}
      {lastError && !outcome ? (
        <tr className="error-row">
          <td colSpan={HEADS.length}>
            <span className="error-label">Last error</span>{' '}
            <code>
              <Told text={lastError} />
            </code>
          </td>
        </tr>
      ) : null}
    </>
  );
}

/** What its database says now; of one that does not answer, nothing is known. */
function InDatabase({ branch }: { readonly branch: AdminBranch }) {
  const { prepared, inDatabase, participantSeenAt } = branch;
  if (!prepared) {
    return (
      <>
        <span className="muted">{inDatabaseWords(inDatabase)}</span>
        {inDatabase === 'not-known' && participantSeenAt ? (
          <div className="cell-note">
            last answer <Instant at={participantSeenAt} />
          </div>
        ) : null}
      </>
    );
  }
  return (
    <>
      prepared for <span className="number">{durationText(prepared.heldMs)}</span>
      {prepared.xidAge === undefined ? null : (
        <div className="cell-note">xid age {count(prepared.xidAge)}</div>
      )}
    </>
  );
}
