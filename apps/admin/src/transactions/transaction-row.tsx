/**
 * One transaction in the list: what it is, why it is where it is, how long, and whom it hurts. Guards
 * "understood in ten seconds": the sentence is in the row, not behind a click.
 */
import { shortDurationText } from '@concordat/words';
import { memo, type KeyboardEvent } from 'react';
import { Link, useLocation } from 'wouter';
import { StatusBadge } from '../elements/badge.js';
import { Until } from '../elements/instant.js';
import { Prose } from '../elements/prose.js';
import { useNow } from '../live/clock.js';
import { count, idTail } from '../wording/format.js';
import { NOT_KNOWN } from '../wording/known.js';
import { labelWords, visible } from '../wording/told.js';
import type { ShownRow } from './merge.js';

const COLUMNS = ['State', 'Transaction', 'For', 'Branches', 'Waiting on', 'Attempts', 'Blocks'];

export function ListHead() {
  return (
    <div role="rowgroup" className="grid-head">
      <div role="row" className="grid-row" aria-rowindex={1}>
        <div role="columnheader">
          <span className="visually-hidden">Select</span>
        </div>
        {COLUMNS.map((name) => (
          <div role="columnheader" key={name}>
            {name}
          </div>
        ))}
        <div role="columnheader" className="visually-hidden">
          Why
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  readonly row: ShownRow;
  readonly index: number;
  readonly top: number;
  readonly isTabbable: boolean;
  readonly isSelected: boolean;
  readonly onActive: (id: string) => void;
  readonly onToggle: (id: string) => void;
}

export const Row = memo(function Row(props: RowProps) {
  const { row, index, top, isTabbable, isSelected, onActive, onToggle } = props;
  const [, navigate] = useLocation();
  const id = row.transactionId;
  const href = `/transactions/${encodeURIComponent(id)}`;
  const press = (event: KeyboardEvent<HTMLDivElement>): void => {
    if (event.target !== event.currentTarget) return;
    if (event.key === 'Enter') navigate(href);
    else if (event.key === 'x') onToggle(id);
    else return;
    event.preventDefault();
  };
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      data-row={id}
      className={`grid-row grid-item${row.hasLeft ? ' has-left' : ''}`}
      style={{ transform: `translateY(${top}px)` }}
      tabIndex={isTabbable ? 0 : -1}
      onFocus={() => onActive(id)}
      onKeyDown={press}
    >
      <div role="gridcell" className="cell-select">
        <input
          type="checkbox"
          tabIndex={-1}
          checked={isSelected}
          onChange={() => onToggle(id)}
          aria-label={`Select ${labelWords(row.label, 'transaction')} ${idTail(id)}`}
        />
      </div>
      <div role="gridcell" className="cell-state">
        <StatusBadge status={row.status} />
      </div>
      <div role="gridcell" className="cell-what">
        <Link href={href} tabIndex={-1} className="row-link">
          <bdi className="row-label truncate">{labelWords(row.label)}</bdi>
          <code className="muted">{idTail(id)}</code>
        </Link>
      </div>
      <Measures row={row} />
      <div role="gridcell" className="row-why truncate" title={visible(row.why)}>
        {row.hasLeft ? 'No longer in this view. ' : ''}
        <Prose text={row.why} />
      </div>
    </div>
  );
});

function Measures({ row }: { readonly row: ShownRow }) {
  const nowMs = useNow();
  const isOver = row.endedAt !== undefined;
  const age = row.inStatusMs + (isOver ? 0 : Math.max(0, nowMs - row.asOfMs));
  return (
    <>
      <div role="gridcell" className="cell-age number" data-name="for">
        {shortDurationText(age)}
      </div>
      <div role="gridcell" className="cell-branches number" data-name="branches">
        {row.branchesDone}
        <span className="muted">/{row.branchesTotal}</span>
      </div>
      <div role="gridcell" className="cell-waiting truncate" data-name="waiting on">
        {row.waitingOn.length > 0 ? row.waitingOn.join(', ') : <span className="muted">none</span>}
      </div>
      <div role="gridcell" className="cell-attempts number" data-name="attempts">
        {row.attempts}
        {row.nextAttemptAt ? (
          <span className="muted">
            {' '}
            · <Until at={row.nextAttemptAt} />
          </span>
        ) : null}
      </div>
      <div role="gridcell" className="cell-blocks number" data-name="blocks">
        {row.blockedSessions === undefined ? (
          <span className="muted">{NOT_KNOWN}</span>
        ) : row.blockedSessions > 0 ? (
          <strong className="tone-stuck">{count(row.blockedSessions)}</strong>
        ) : (
          <span className="muted">0</span>
        )}
      </div>
    </>
  );
}
