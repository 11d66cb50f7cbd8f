/** A cycle of waits, drawn, with the same in words beneath it for those who do not see the drawing. */
import { thingWords } from '@concordat/words';
import type { WaitCycle } from '@concordat/client';
import { useId } from 'react';
import { Instant } from '../elements/instant.js';
import { Section } from '../elements/section.js';
import { idTail } from '../wording/format.js';
import { layoutCycle, NODE_RADIUS } from './cycle-layout.js';
import { TransactionLink } from './holder.js';

/** Further ones are given in words alone. */
const DRAWN_MAX = 6;

export function WaitCycles({
  cycles,
  self,
}: {
  readonly cycles: readonly WaitCycle[];
  readonly self: string;
}) {
  return cycles.map((cycle, at) => <OneCycle key={at} cycle={cycle} self={self} />);
}

function OneCycle({ cycle, self }: { readonly cycle: WaitCycle; readonly self: string }) {
  const { state, victim, at, waits } = cycle;
  const isOver = state !== 'waiting';
  const gone = victim === self ? 'This transaction, the youngest, gave way' : 'Another gave way';
  return (
    <Section
      title={isOver ? 'Cycle of waits, broken' : 'Cycle of waits'}
      says={
        isOver ? (
          <>
            {gone}
            {at ? (
              <>
                {' '}
                at <Instant at={at} withMs />
              </>
            ) : null}
            ; the others went on.
          </>
        ) : (
          'These transactions wait for each other.'
        )
      }
    >
      {waits.length <= DRAWN_MAX ? <Drawing cycle={cycle} self={self} /> : null}
      <ol className="waits cycle-words">
        {waits.map((wait, n) => {
          const { relation, row } = wait;
          const place = {
            kind: 'transactionid',
            ...(relation === undefined ? {} : { relation }),
            ...(row === undefined ? {} : { row }),
          };
          return (
            <li key={n}>
              <TransactionLink id={wait.transactionId} />
              {wait.transactionId === self ? ' (this one)' : ''} {isOver ? 'waited' : 'waits'} for{' '}
              <code>{thingWords(place)}</code> at {wait.participant}, held by{' '}
              <TransactionLink id={wait.heldBy} />
            </li>
          );
        })}
      </ol>
    </Section>
  );
}

/** As much of a name as fits beside an arrow; it is complete in the words. */
function shortName(name: string): string {
  return name.length > 18 ? `${name.slice(0, 17)}…` : name;
}

function Drawing({ cycle, self }: { readonly cycle: WaitCycle; readonly self: string }) {
  const tip = useId();
  const { waits, victim } = cycle;
  const { width, height, nodes, arrows } = layoutCycle(waits.length);
  const ring = waits.map((one) => idTail(one.transactionId)).join(', which waits for ');
  const first = idTail(waits[0]?.transactionId ?? '');
  const kind = (id: string): string =>
    `cycle-node${id === victim ? ' is-victim' : ''}${id === self ? ' is-self' : ''}`;
  return (
    <svg
      className="cycle"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`Cycle of waits: ${ring}, which waits for ${first}`}
    >
      <defs>
        <marker
          id={tip}
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          orient="auto"
        >
          <path className="cycle-tip" d="M 0 0 L 8 4 L 0 8 z" />
        </marker>
      </defs>
      {arrows.map((arrow, at) => (
        <g key={at}>
          <path className="cycle-arrow" d={arrow.path} markerEnd={`url(#${tip})`} />
          <text
            className="cycle-label"
            x={arrow.label.x}
            y={arrow.label.y}
            textAnchor="middle"
            dy="-4"
          >
            {shortName(waits[at]?.participant ?? '')}
          </text>
        </g>
      ))}
      {nodes.map((node, at) => {
        const id = waits[at]?.transactionId ?? '';
        return (
          <g key={at} className={kind(id)}>
            <circle cx={node.x} cy={node.y} r={NODE_RADIUS} />
            <text x={node.x} y={node.y} textAnchor="middle" dy="4">
              {idTail(id)}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
