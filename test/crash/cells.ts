/**
 * The crash matrix: every named crash point of coordinator and participant, each with every action
 * that makes sense there, and the story that leads to it. A cell is one real run: arm a process, send
 * a transaction that reaches the point, wait until it was hit, heal, and demand the promises.
 */
import type { ServiceId } from '../stage/product.js';

export type Action = 'kill' | 'stop' | 'throw' | 'hang';
/** What is sent: a transfer, one that is refused after round one began, or one left for recovery. */
export type Story = 'commit' | 'abort' | 'recover';

export interface Cell {
  readonly service: ServiceId;
  /** e.g. `decide.post` or `commit.pre@ledger-west`. */
  readonly point: string;
  readonly action: Action;
  readonly story: Story;
}

const ACTIONS: readonly Action[] = ['kill', 'stop', 'throw', 'hang'];
const LEDGERS = ['ledger-east', 'ledger-west'] as const;
const EDGES = ['pre', 'post'] as const;

function points(): Omit<Cell, 'action'>[] {
  const found: Omit<Cell, 'action'>[] = [];
  for (const edge of EDGES) {
    for (const ledger of LEDGERS) {
      for (const [step, story] of [
        ['prepare', 'commit'],
        ['commit', 'commit'],
        ['abort', 'abort'],
      ] as const) {
        found.push({ service: 'coordinator', point: `${step}.${edge}@${ledger}`, story });
      }
      for (const [step, story] of [
        ['begin', 'commit'],
        ['prepare', 'commit'],
        ['commit', 'commit'],
        ['abort', 'abort'],
      ] as const) {
        found.push({ service: ledger, point: `${step}.${edge}`, story });
      }
    }
    found.push({ service: 'coordinator', point: `decide.${edge}`, story: 'commit' });
    found.push({ service: 'coordinator', point: `claim.${edge}`, story: 'recover' });
  }
  return found;
}

/** Every cell. */
export const CELLS: readonly Cell[] = points().flatMap((point) =>
  ACTIONS.map((action) => ({ ...point, action })),
);

/** What runs in `npm test`: a kill at every point, with the first participant only. */
export const SMOKE: readonly Cell[] = CELLS.filter(
  ({ action, service, point }) =>
    action === 'kill' && service !== 'ledger-east' && !point.endsWith('@ledger-east'),
);

export function nameOf({ service, point, action }: Cell): string {
  return `${service} ${point} ${action}`;
}
