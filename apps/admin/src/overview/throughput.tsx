/** Committed and aborted per second as two lines: one filled, one dashed, and both in words. */
import type { AdminOverview } from '@concordat/client';
import { rate } from '../wording/format.js';
import { useWidth } from '../transaction/use-width.js';
import { areaPath } from './area.js';

const HEIGHT = 96;

export function Throughput({ overview }: { readonly overview: AdminOverview }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const { committedPerSecond, abortedPerSecond, history } = overview.throughput;
  const committed = history.map((one) => one.committed);
  const aborted = history.map((one) => one.aborted);
  const most = Math.max(0.1, ...committed, ...aborted);
  const inner = Math.max(0, width - 2);
  const good = areaPath(committed, most, inner, HEIGHT);
  const bad = areaPath(aborted, most, inner, HEIGHT);
  const says = `${rate(committedPerSecond)} committed and ${rate(abortedPerSecond)} aborted per second; at most ${rate(most)}.`;
  return (
    <div ref={box} className="throughput">
      <div className="throughput-now">
        <span className="tone-good">
          <strong className="number">{rate(committedPerSecond)}</strong> committed/s
        </span>
        <span>
          <strong className="number">{rate(abortedPerSecond)}</strong> aborted/s
        </span>
        <span className="muted number">peak {rate(most)}/s</span>
      </div>
      <svg width={inner} height={HEIGHT + 4} role="img" aria-label={says}>
        <g transform="translate(0 2)">
          <path d={`M0 ${HEIGHT}H${inner}`} className="chart-base" />
          <path d={`M0 ${HEIGHT / 2}H${inner}`} className="chart-grid" />
          <path d={good.area} className="chart-area" />
          <path d={good.line} className="chart-line" />
          <path d={bad.line} className="chart-line chart-line-aborted" />
        </g>
      </svg>
      <div className="chart-axis muted">
        <span>10 min ago</span>
        <span>now</span>
      </div>
    </div>
  );
}
