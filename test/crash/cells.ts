/**
 * The crash matrix: every named crash point of coordinator and participant, each with every action
 * that makes sense there, and the story that leads to it. A cell is one real run: arm a process, send
 * a transaction that reaches the point, wait until it was hit, heal, and demand the promises.
 */
import type { ParticipantId, ServiceId } from '../stage/product.js';

/** `drop`: the effect is done and its reply lost; only at points that are answered. */
export type Action = 'kill' | 'stop' | 'throw' | 'hang' | 'drop';
/**
 * What is sent: a transfer; one that is refused after round one began; one whose commit is on record and
 * whose coordinator died, left for the next one to claim, or for a participant to inquire about. `alone`: a
 * transaction of one branch, which commits in one phase, and one that its branch refuses. `alone-asked`: one that
 * has committed and whose participant and owner both died behind that, and which is then asked about.
 */
export type Story =
  'commit' | 'abort' | 'recover' | 'inquire' | 'alone' | 'alone-refused' | 'alone-asked';

export interface Cell {
  readonly service: ServiceId;
  /** e.g. `decide.post` or `commit.pre@ledger-west`. */
  readonly point: string;
  readonly action: Action;
  readonly story: Story;
}

type Point = Omit<Cell, 'action'>;

const ACTIONS: readonly Action[] = ['kill', 'stop', 'throw', 'hang'];
const LEDGERS = ['ledger-east', 'ledger-west'] as const satisfies readonly ParticipantId[];
const EDGES = ['pre', 'post'] as const;
type Steps = readonly (readonly [step: string, story: Story])[];

/** What the coordinator does with each participant. */
const TOWARDS_EACH: Steps = [
  ['prepare', 'commit'],
  ['commit', 'commit'],
  ['abort', 'abort'],
];
/** What the coordinator does once: force the decision, claim another's, note the end. */
const ONCE: Steps = [
  ['decide', 'commit'],
  ['claim', 'recover'],
  ['end', 'commit'],
];
/** What each participant does. */
const AT_EACH: Steps = [
  ['begin', 'commit'],
  ['prepare', 'commit'],
  ['commit', 'commit'],
  ['abort', 'abort'],
];
/** What a participant in doubt does: look into its database, ask a coordinator. */
const IN_DOUBT: Steps = [
  ['scan', 'inquire'],
  ['inquire', 'inquire'],
];

/** What the coordinator does with the only participant, and what that one does. */
const ALONE: Steps = [
  ['prepare', 'alone'],
  ['abort', 'alone-refused'],
];
const AT_THE_ONLY: Steps = [['begin', 'alone'], ...ALONE];

/** What a coordinator that is asked does: asks its participant, and copies the answer; and what that one does. */
const ASKED: Steps = [['abort', 'alone-asked']];
const COPIED: Steps = [['decide', 'alone-asked']];

function pointsOf(service: ServiceId, steps: Steps, participant?: ParticipantId): Point[] {
  const at = participant === undefined ? '' : `@${participant}`;
  return EDGES.flatMap((edge) =>
    steps.map(([step, story]) => ({ service, point: `${step}.${edge}${at}`, story })),
  );
}

const POINTS: readonly Point[] = [
  ...LEDGERS.flatMap((ledger) => pointsOf('coordinator', TOWARDS_EACH, ledger)),
  ...pointsOf('coordinator', ONCE),
  ...LEDGERS.flatMap((ledger) => pointsOf(ledger, AT_EACH)),
  ...pointsOf('ledger-west', IN_DOUBT),
  ...pointsOf('coordinator', ALONE, 'ledger-west'),
  ...pointsOf('ledger-west', AT_THE_ONLY),
  ...pointsOf('coordinator', ASKED, 'ledger-west'),
  ...pointsOf('coordinator', COPIED),
  ...pointsOf('ledger-west', ASKED),
];

/** A BEGIN is not reported, and before an effect there is nothing to report. */
function isAnswered({ point }: Point): boolean {
  return point.includes('.post') && !point.startsWith('begin');
}

/** Every cell. */
export const CELLS: readonly Cell[] = POINTS.flatMap((point) => [
  ...ACTIONS.map((action) => ({ ...point, action })),
  ...(isAnswered(point) ? [{ ...point, action: 'drop' as const }] : []),
]);

/**
 * What runs in `npm test`: of each step one edge, killed, where kill.spec.ts does not kill already, and
 * the lost replies of the register and of a participant.
 */
const SMOKE_NAMES: ReadonlySet<string> = new Set([
  'coordinator prepare.post@ledger-west kill',
  'coordinator abort.post@ledger-west kill',
  'coordinator claim.post kill',
  'coordinator end.pre kill',
  'coordinator decide.post drop',
  'ledger-west begin.post kill',
  'ledger-west commit.pre kill',
  'ledger-west abort.post kill',
  'ledger-west inquire.post kill',
  'ledger-west commit.post drop',
  'coordinator prepare.post@ledger-west kill alone',
  'coordinator prepare.post@ledger-west drop alone',
  'coordinator abort.post@ledger-west kill alone-refused',
  'ledger-west prepare.post kill alone',
  'ledger-west prepare.post drop alone',
  'coordinator decide.pre kill alone-asked',
]);

export const SMOKE: readonly Cell[] = CELLS.filter((cell) => SMOKE_NAMES.has(nameOf(cell)));
if (SMOKE.length !== SMOKE_NAMES.size) throw new Error('a cell of the smoke part does not exist');

export function nameOf({ service, point, action, story }: Cell): string {
  const alone = isAlone(story) ? ` ${story}` : '';
  return `${service} ${point} ${action}${alone}`;
}

/** Whether it has one branch, at ledger-west. */
export function isAlone(story: Story): boolean {
  return story.startsWith('alone');
}
