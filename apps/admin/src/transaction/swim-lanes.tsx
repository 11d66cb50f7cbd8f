/**
 * Draws the swim lanes: a lane per branch, the decision as a line through all of them, silences hatched,
 * and now. Guards "understood in ten seconds", and that the same is in words beside it.
 */
import { durationText } from '@concordat/words';
import type { AdminTransaction } from '@concordat/client';
import { useId } from 'react';
import { useNow } from '../live/clock.js';
import { useFold } from '../elements/fold.js';
import { layoutLanes, type Lane, type Lanes } from './lanes.js';
import { LaneMark } from './lane-mark.js';
import { BRANCHES_SHOWN, thatMatter } from './matters.js';
import { useWidth } from './use-width.js';

const TOP = 34;
const LANE = 46;
const LABEL = 132;
const NARROW = 560;
const PAD = 14;

export function SwimLanes({ detail }: { readonly detail: AdminTransaction }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const nowMs = useNow();
  const hatch = useId();
  const isNarrow = width > 0 && width < NARROW;
  const left = isNarrow ? 4 : LABEL;
  const inner = Math.max(80, width - left - PAD);
  const { shown, button } = useFold(detail.transaction.branches, {
    most: BRANCHES_SHOWN,
    what: 'branches',
    pick: thatMatter,
  });
  const drawn = { events: detail.events, transaction: { ...detail.transaction, branches: shown } };
  const lanes = layoutLanes(drawn, nowMs, inner);
  const laneHeight = isNarrow ? LANE + 16 : LANE;
  const height = TOP + lanes.lanes.length * laneHeight + 26;
  const { decision } = detail.transaction;
  return (
    <>
      <div ref={box} className="lanes" style={{ minHeight: height }}>
        {width === 0 ? null : (
          <svg width={width} height={height} role="img" aria-label={words(lanes, decision)}>
            <defs>
              <pattern id={hatch} width="7" height="7" patternUnits="userSpaceOnUse">
                <path d="M0 7 7 0" className="lane-hatch" />
              </pattern>
            </defs>
            <g transform={`translate(${left} 0)`}>
              <Eras lanes={lanes} hatch={hatch} height={height} />
              {lanes.lanes.map((lane, index) => (
                <g key={lane.branch} transform={`translate(0 ${TOP + index * laneHeight})`}>
                  <LaneRow lane={lane} width={inner} left={left} isNarrow={isNarrow} />
                </g>
              ))}
              <Rules lanes={lanes} decision={decision} height={height} width={inner} />
            </g>
          </svg>
        )}
      </div>
      {button}
    </>
  );
}

function Eras({
  lanes,
  hatch,
  height,
}: {
  readonly lanes: Lanes;
  readonly hatch: string;
  readonly height: number;
}) {
  return (
    <>
      {lanes.gaps.map((gap) => (
        <g key={gap.fromMs}>
          <rect
            x={gap.x0}
            y={TOP - 6}
            width={gap.x1 - gap.x0}
            height={height - TOP - 14}
            fill={`url(#${hatch})`}
          />
          <text x={(gap.x0 + gap.x1) / 2} y={height - 8} className="lane-note" textAnchor="middle">
            {durationText(gap.toMs - gap.fromMs)}
          </text>
        </g>
      ))}
      {lanes.eras.map((era) => (
        <g key={era.name}>
          <path d={`M${era.x0 + 2} 22H${era.x1 - 2}`} className="lane-era" />
          <text x={era.x0 + 4} y={14} className="lane-note">
            <tspan className="lane-era-name">{era.name}</tspan> {durationText(era.ms)}
          </text>
        </g>
      ))}
    </>
  );
}

function LaneRow({
  lane,
  width,
  left,
  isNarrow,
}: {
  readonly lane: Lane;
  readonly width: number;
  readonly left: number;
  readonly isNarrow: boolean;
}) {
  const y = isNarrow ? 36 : 22;
  return (
    <>
      <text
        x={isNarrow ? 0 : -left}
        y={isNarrow ? 14 : y - 2}
        className="lane-name"
        aria-hidden="true"
      >
        {shortened(lane.participant, isNarrow ? 34 : 17)}
      </text>
      {isNarrow ? null : (
        <text x={-left} y={y + 13} className="lane-note" aria-hidden="true">
          branch {shortened(lane.branch, 12)}
        </text>
      )}
      <path d={`M0 ${y}H${width}`} className="lane-line" />
      {lane.spans.map((span) => (
        <rect
          key={`${span.kind}-${span.x0}`}
          x={span.x0}
          y={y - SPAN_HALF[span.kind]}
          width={Math.max(2, span.x1 - span.x0)}
          height={SPAN_HALF[span.kind] * 2}
          rx={span.kind === 'work' ? 2 : 3}
          className={`lane-span lane-${span.kind}`}
        />
      ))}
      {lane.marks.map((mark, index) => (
        <LaneMark key={index} mark={mark} y={y} />
      ))}
    </>
  );
}

const SPAN_HALF = { work: 2, prepared: 6, owed: 6 } as const;

function Rules({
  lanes,
  decision,
  height,
  width,
}: {
  readonly lanes: Lanes;
  readonly decision: string | undefined;
  readonly height: number;
  readonly width: number;
}) {
  const { decisionX, nowX } = lanes;
  return (
    <>
      {decisionX === undefined ? null : (
        <g className={`lane-decision decision-${decision ?? 'none'}`}>
          <path d={`M${decisionX} 4V${height - 20}`} />
          <path d={`M${decisionX} ${TOP - 18}l6 6-6 6-6-6z`} className="lane-decision-mark" />
          <text x={decisionX} y={height - 8} textAnchor={decisionX > width - 40 ? 'end' : 'middle'}>
            {decision ?? 'decision'}
          </text>
        </g>
      )}
      {nowX === undefined ? null : (
        <g className="lane-now">
          <path d={`M${nowX} ${TOP - 8}V${height - 20}`} />
          <text x={Math.min(nowX + 8, width + PAD)} y={14} textAnchor="end">
            now
          </text>
        </g>
      )}
    </>
  );
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function words(lanes: Lanes, decision: string | undefined): string {
  const stands = decision ? `Decision: ${decision}.` : 'Not decided.';
  return `Timeline. ${stands} ${lanes.lanes.map((lane) => lane.says).join('. ')}.`;
}
