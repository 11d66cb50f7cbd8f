/**
 * One event on a lane, by its shape: asked |, yes ✓, no ✕, read-only ○, attempt and trouble as ticks,
 * finished as a filled disc, heuristic as a triangle. Guards "never colour alone".
 */
import type { ReactElement } from 'react';
import { useSettings } from '../layout/settings.js';
import { instant } from '../wording/format.js';
import type { Mark, MarkKind } from './lanes.js';

const SHAPES: Readonly<Record<MarkKind, ReactElement>> = {
  asked: <path d="M0-6V6" className="mark-line" />,
  yes: (
    <>
      <circle r="7" className="mark-disc" />
      <path d="m-3 .4 2 2.2 4-4.6" className="mark-cut" />
    </>
  ),
  no: (
    <>
      <circle r="7" className="mark-disc" />
      <path d="m-2.6-2.6 5.2 5.2m0-5.2-5.2 5.2" className="mark-cut" />
    </>
  ),
  'read-only': <circle r="5.4" className="mark-ring" />,
  attempt: <path d="M0-11V-5" className="mark-line" />,
  trouble: <path d="M0-13v7m-2.6-7h5.2" className="mark-line" />,
  done: (
    <>
      <circle r="8" className="mark-disc" />
      <path d="m-3.4.4 2.3 2.5 4.5-5.2" className="mark-cut" />
    </>
  ),
  undone: (
    <>
      <rect x="-7" y="-7" width="14" height="14" rx="3" className="mark-disc" />
      <path d="M3 0h-6m2.4-2.6L-3.2 0l2.6 2.6" className="mark-cut" />
    </>
  ),
  heuristic: (
    <>
      <path d="M0-9 9 7H-9z" className="mark-disc" />
      <path d="M0-3V2m0 2.4v.4" className="mark-cut" />
    </>
  ),
};

export function LaneMark({ mark, y }: { readonly mark: Mark; readonly y: number }) {
  const { zone } = useSettings();
  const at = new Date(mark.atMs).toISOString();
  return (
    <g transform={`translate(${mark.x} ${y})`} className={`lane-mark mark-${mark.kind}`}>
      <title>{`${instant(at, { zone, withMs: true })}: ${mark.says}`}</title>
      <rect x="-6" y="-13" width="12" height="26" fill="transparent" />
      {SHAPES[mark.kind]}
    </g>
  );
}

const LEGEND: readonly { kind: MarkKind; says: string }[] = [
  { kind: 'asked', says: 'asked' },
  { kind: 'yes', says: 'voted prepared' },
  { kind: 'no', says: 'voted no' },
  { kind: 'attempt', says: 'decision sent' },
  { kind: 'trouble', says: 'no answer' },
  { kind: 'done', says: 'committed' },
  { kind: 'undone', says: 'rolled back' },
  { kind: 'heuristic', says: 'heuristic' },
];

/** What the shapes mean, for those that occur. */
export function Legend({ kinds }: { readonly kinds: ReadonlySet<MarkKind> }) {
  return (
    <ul className="legend" aria-hidden="true">
      {LEGEND.filter(({ kind }) => kinds.has(kind)).map(({ kind, says }) => (
        <li key={kind}>
          <svg
            width="20"
            height="20"
            viewBox={kind === 'trouble' || kind === 'attempt' ? '-10 -20 20 20' : '-10 -11 20 22'}
            className={`lane-mark mark-${kind}`}
          >
            {SHAPES[kind]}
          </svg>
          {says}
        </li>
      ))}
      <li>
        <span className="legend-bar legend-prepared" /> prepared, holds locks
      </li>
      <li>
        <span className="legend-bar legend-owed" /> decided, not confirmed
      </li>
    </ul>
  );
}
