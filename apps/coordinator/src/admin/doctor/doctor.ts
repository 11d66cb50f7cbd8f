/**
 * The doctor: every setting that two-phase commit depends on, at the register, the broker, this
 * coordinator and each participant, with the remedy where one is wrong. Guards "say what is not known":
 * who does not answer is a finding, never a silence.
 */
import type { Undelivered } from '@concordat/diagnosis';
import type { CheckResource } from '@concordat/api';
import type { ChannelConnection, IncidentKind } from '@concordat/channel';
import type { DecisionLog } from '@concordat/decision-log';
import { SCOPES } from '../../platform/api-key.js';
import type { KeyRing } from '../../access/key-ring.js';
import type { CoordinatorConfig } from '../../platform/coordinator.config.js';
import { distanceText, type ClockDistance } from '../../health/clock-distance.js';
import type { PeerRegisters } from '../../peers/peer-registers.js';
import { isSeen } from '../participants/participant-resource.js';
import type { ParticipantsWatch, SeenParticipant } from '../../known/participants-watch.js';
import { counted } from '@concordat/words';

export interface DoctorParts {
  readonly log: DecisionLog;
  /** The commanding connection, and the one that answers questions. */
  readonly connections: readonly [ChannelConnection, ChannelConnection];
  readonly watch: ParticipantsWatch;
  readonly keys: KeyRing;
  readonly config: CoordinatorConfig;
  readonly clockDistance: ClockDistance;
  readonly peers: PeerRegisters;
}

type Check = Omit<CheckResource, 'at'>;

const MIB = 1_048_576;
const CLOCK_WARNING_MS = 5_000;
/** What permissions forbid, and what somebody tried to bring about in another's name. */
const FORGED: readonly IncidentKind[] = [
  'not-permitted',
  'forged-reply',
  'wrong-asker',
  'disbelieved',
];
/** The first releases of each line without the known flaws of authorization. */
const FIXED: readonly (readonly [minor: number, patch: number])[] = [
  [11, 16],
  [12, 7],
];

export class Doctor {
  constructor(private readonly parts: DoctorParts) {}

  async examine(): Promise<CheckResource[]> {
    const { log, config, watch } = this.parts;
    const [register, seen] = await Promise.all([log.checkup(config.retentionMs), watch.look()]);
    const undelivered = await watch.undelivered(seen);
    const participants = await Promise.all(
      seen.map(async (one) => [...(await this.participant(one)), ...unseen(one, undelivered)]),
    );
    return [
      ...register.map((one) => ({ ...one, at: 'register' })),
      ...this.broker().map((one) => ({ ...one, at: 'broker' })),
      ...this.coordinator().map((one) => ({ ...one, at: 'coordinator' })),
      ...participants.flat(),
    ];
  }

  private async participant(seen: SeenParticipant): Promise<CheckResource[]> {
    const { participant, state, instances, lastError } = seen;
    const at = participant;
    if (state === 'silent') {
      if (this.brokerTrouble() !== undefined) {
        const found = 'not known: this coordinator does not reach the broker';
        return [{ name: 'answers', at, result: 'unknown', found }];
      }
      const remedy =
        'Start an instance of it, or see why it does not reach the broker. One that is permanently gone can be retired.';
      const { lastSeenAtMs } = seen;
      const last = lastSeenAtMs === undefined ? '' : `; last answer ${instant(lastSeenAtMs)}`;
      return [{ name: 'answers', at, result: 'bad', found: `no instance answers${last}`, remedy }];
    }
    const answers: CheckResource = {
      name: 'answers',
      at,
      result: state === 'up' ? 'ok' : 'warning',
      found: lastError ?? counted(instances.length, 'instance'),
      ...(state === 'up'
        ? {}
        : { remedy: 'See its log; it recovers by itself once the cause is gone.' }),
    };
    const { checks, why = 'it did not say' } = await this.parts.watch.closer(at);
    if (!checks) return [answers, { name: 'settings', at, result: 'unknown', found: why }];
    return [answers, ...checks.map((one) => ({ ...one, at }))];
  }

  private brokerTrouble(): string | undefined {
    const [commands, questions] = this.parts.connections;
    return commands.unusable ?? questions.unusable;
  }

  private broker(): Check[] {
    const [commands] = this.parts.connections;
    const trouble = this.brokerTrouble();
    if (trouble !== undefined) {
      const remedy = 'Start the broker, or correct NATS_URL; it is taken up again by itself.';
      return [{ name: 'answers', result: 'bad', found: trouble, remedy }];
    }
    return [
      { name: 'answers', result: 'ok', found: 'both connections are up' },
      brokerVersion(commands.serverVersion),
      payload(commands.maxPayload),
      this.permissions(),
      this.users(),
    ];
  }

  private permissions(): Check {
    const refused = this.parts.connections.reduce(
      (sum, { incidents }) => sum + FORGED.reduce((some, kind) => some + incidents.count(kind), 0),
      0,
    );
    if (refused === 0) return { name: 'permissions', result: 'ok', found: 'nothing was refused' };
    const remedy = 'The log names each subject: correct the permissions, or find out who forges.';
    const found = `${counted(refused, 'message')} refused since the start`;
    return { name: 'permissions', result: 'bad', found, remedy };
  }

  private users(): Check {
    const { natsUrl, natsQuestionsUrl } = this.parts.config;
    const name = 'two users';
    if (natsUrl !== natsQuestionsUrl) {
      return { name, result: 'ok', found: 'questions are answered without the right to command' };
    }
    const remedy =
      'Set NATS_QUESTIONS_URL to a user that may not publish commands: then no answer can become one.';
    return { name, result: 'warning', found: 'one user commands and answers', remedy };
  }

  private coordinator(): Check[] {
    const { keys, config } = this.parts;
    const found = SCOPES.map((scope) => `${keys.count(scope)} ${scope}`).join(', ');
    const canAct = keys.count('operator') + keys.count('force') > 0;
    const acting: Check = canAct
      ? { name: 'keys', result: 'ok', found }
      : {
          name: 'keys',
          result: 'warning',
          found: `${found}: nothing can be settled`,
          remedy: 'Make a key with `keygen --scope operator --id <name>`.',
        };
    const force: Check = config.isForceEnabled
      ? {
          name: 'force',
          result: 'warning',
          found: 'enabled',
          remedy: 'Disable it again (CONCORDAT_FORCE) once what needed it is settled.',
        }
      : { name: 'force', result: 'ok', found: 'disabled' };
    const { clockDistance, peers } = this.parts;
    return [acting, force, clockCheck(clockDistance), peersCheck(peers)];
  }
}

function clockCheck(distance: ClockDistance): Check {
  const name = 'clock';
  const aheadMs = distance.aheadMs();
  if (aheadMs === undefined) {
    return { name, result: 'unknown', found: "the decision database's clock is not known yet" };
  }
  const found = `${distanceText(aheadMs)} the decision database's`;
  if (distance.fault() !== undefined) {
    const remedy =
      'Nothing begins and nothing is forgotten here. Compare both with a clock that you trust, and set the wrong one right (NTP): it is taken up again by itself. See "A clock is wrong" in docs/runbooks.md.';
    return { name, result: 'bad', found, remedy };
  }
  if (Math.abs(aheadMs) < CLOCK_WARNING_MS) return { name, result: 'ok', found };
  const remedy = 'Let NTP keep the clocks of the coordinators and of the database server.';
  return { name, result: 'warning', found, remedy };
}

/** What of a participant is not known, with what is known all the same. */
function unseen(seen: SeenParticipant, undelivered: Undelivered): CheckResource[] {
  if (isSeen(seen)) return [];
  const { participant: at, lastKnown } = seen;
  const last = lastKnown
    ? `when its database was last seen, ${instant(lastKnown.atMs)}, it was ${counted(lastKnown.inDoubt, 'branch', 'branches')}`
    : 'its database has never been seen';
  const commits = undelivered
    ? `${counted(undelivered.get(at) ?? 0, 'commit')} undelivered`
    : 'how many commits are undelivered is not known either';
  const found = `what is prepared there is not known: ${last}; ${commits}`;
  return [{ name: 'prepared branches', at, result: 'unknown', found }];
}

const instant = (ms: number): string => new Date(ms).toISOString();

function peersCheck(peers: PeerRegisters): Check {
  const name = 'one register';
  if (peers.others().length > 0) {
    const remedy =
      'Nothing is answered from either. Find out which register is the right one, and stop the coordinator on the other. See "Another register under this cluster id" in docs/runbooks.md.';
    return { name, result: 'bad', found: peers.described(), remedy };
  }
  const { ok, detail } = peers.known();
  if (!ok) return { name, result: 'unknown', found: detail };
  return { name, result: 'ok', found: 'every coordinator that answers works on this register' };
}

function payload(bytes: number): Check {
  const found = `${bytes} bytes`;
  if (bytes >= MIB) return { name: 'max_payload', result: 'ok', found };
  const remedy = 'Set max_payload to 1 MiB at the broker, or expect larger transactions refused.';
  return { name: 'max_payload', result: 'warning', found, remedy };
}

export function brokerVersion(version: string | undefined): Check {
  const name = 'version';
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version ?? '')?.map(Number) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) {
    return { name, result: 'unknown', found: 'the broker does not say' };
  }
  const found = `nats-server ${version ?? ''}`;
  const isFixed =
    major > 2 || minor >= 14 || FIXED.some(([line, first]) => minor === line && patch >= first);
  if (isFixed) return { name, result: 'ok', found };
  const isTooOld = major < 2 || (major === 2 && minor < 9);
  const remedy =
    'Use 2.11.16, 2.12.7, 2.14.0 or newer in production: before, known flaws weaken its permissions.';
  return { name, result: isTooOld ? 'bad' : 'warning', found, remedy };
}
