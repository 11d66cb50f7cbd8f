/**
 * The crash matrix: every named crash point of coordinator and participant, each with every action that makes
 * sense there, and the transaction that leads to it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { at, isPoint, type Case, type PointAction, type Shape, type Step } from '../cases/case.js';
import { isAlone } from '../cases/shapes.js';
import { answered, kill, step } from '../cases/steps.js';
import type { ParticipantId, ServiceId } from '../stage/product.js';

/** Short: what hangs, stops or is not answered in round one holds its case for so long. */
const TRANSACTION_MS = 4_000;
/** A stopped process is continued when the time of its transaction is over: all went on without it. */
const STOPPED_MS = TRANSACTION_MS + 500;

/** What every stage of the matrix is. */
export const MATRIX_STAGE = { isAsShipped: true, armable: true } as const;

interface Point {
  readonly service: ServiceId;
  /** e.g. `decide.post` or `commit.pre@ledger-west`. */
  readonly point: string;
  readonly sends: Shape;
}

interface Cell extends Point {
  readonly action: PointAction;
}

const ACTIONS: readonly PointAction[] = ['kill', 'stop', 'throw', 'hang'];
const LEDGERS = ['ledger-east', 'ledger-west'] as const satisfies readonly ParticipantId[];
const EDGES = ['pre', 'post'] as const;
type Steps = readonly (readonly [step: string, sends: Shape])[];

/** What the coordinator does with each participant. */
const TOWARDS_EACH: Steps = [
  ['prepare', 'transfer'],
  ['commit', 'transfer'],
  ['abort', 'refused'],
];
/** What the coordinator does once: force the decision, claim another's, note the end. */
const ONCE: Steps = [
  ['decide', 'transfer'],
  ['claim', 'recover'],
  ['end', 'transfer'],
];
/** What each participant does. */
const AT_EACH: Steps = [
  ['begin', 'transfer'],
  ['prepare', 'transfer'],
  ['commit', 'transfer'],
  ['abort', 'refused'],
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
    steps.map(([step, sends]) => ({ service, point: `${step}.${edge}${at}`, sends })),
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

/** How each has to end; what is killed, stopped or lost in round one may be aborted. */
const ENDS: Readonly<Record<Shape, Case['ends']>> = {
  transfer: 'either',
  three: 'either',
  'step-by-step': 'either',
  alone: 'either',
  refused: 'abort',
  'alone-refused': 'abort',
  recover: 'commit',
  inquire: 'commit',
  'alone-asked': 'commit',
};

const asleep = (service: ServiceId): Step =>
  step(`${service} goes on when the time of the transaction is over`, async ({ product }) => {
    await pause(STOPPED_MS);
    product.service(service).kill('SIGCONT');
  });

/** What hangs goes on hanging: somebody has to end it. Everything else must help itself. */
function stepsOf({ service, action, sends }: Cell): Step[] {
  return [
    ...(action === 'stop' ? [asleep(service)] : []),
    answered,
    ...(action === 'hang' ? [kill(service)] : []),
    // For a participant's inquiry to matter, its coordinator was kept from finishing.
    ...(sends === 'inquire' ? [kill('coordinator')] : []),
  ];
}

function caseOf(cell: Cell): Case {
  const { service, point, action, sends } = cell;
  return {
    name: `${service} ${point} ${action}${isAlone(sends) ? ` ${sends}` : ''}`,
    faults: [at(service, `${point}#1`, action)],
    sends,
    timeoutMs: TRANSACTION_MS,
    wait: '5s',
    then: stepsOf(cell),
    hears: 'truth',
    ends: ENDS[sends],
  };
}

/** Every case of the matrix. */
export const MATRIX: readonly Case[] = POINTS.flatMap((point) => [
  ...ACTIONS.map((action) => caseOf({ ...point, action })),
  ...(isAnswered(point) ? [caseOf({ ...point, action: 'drop' })] : []),
]);

/** Its row on the page. */
export function cellsOf({ faults, sends }: Case): string[] {
  const [fault] = faults.filter(isPoint);
  return fault ? [fault.at, `\`${fault.point}\``, fault.does, sends] : [];
}

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

export const SMOKE: readonly Case[] = MATRIX.filter(({ name }) => SMOKE_NAMES.has(name));
if (SMOKE.length !== SMOKE_NAMES.size) throw new Error('a case of the smoke part does not exist');
