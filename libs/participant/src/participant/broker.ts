/**
 * The participant's broker connection, waited for with a log line at intervals. Guards "the start waits for
 * the broker without limit" for services, and with the given limit where only branches in doubt are settled.
 */
import { connectChannel, type ChannelConnection, type ChannelIncident } from '@concordat/channel';
import type { Clock, Entropy } from '@concordat/engine';
import type { ParticipantLog, ParticipantOptions } from './participant-options.js';
import { PatientLog } from './patient-log.js';
import { describe } from './vote-log.js';

export interface BrokerParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: ParticipantLog;
  readonly signal?: AbortSignal;
  /** Absent: without limit. */
  readonly waitMs?: number;
}

export function openBroker(
  options: Pick<ParticipantOptions, 'name' | 'natsUrl' | 'nats' | 'connect'>,
  { clock, entropy, log, signal, waitMs }: BrokerParts,
): Promise<ChannelConnection> {
  const { connect, natsUrl, nats, name } = options;
  if (connect) return connect();
  const waiting = new PatientLog(clock, (message) => log.warn(message));
  return connectChannel({
    onWaiting: (why) => waiting.say(`waiting for the broker: ${why}`),
    onIncident: (incident) => tell(incident, log, waiting),
    ...(waitMs === undefined ? {} : { firstConnectMs: waitMs }),
    ...nats,
    servers: natsUrl,
    name,
    clock,
    entropy,
    ...(signal ? { signal } : {}),
  });
}

function tell(incident: ChannelIncident, log: ParticipantLog, often: PatientLog): void {
  const { kind, subject } = incident;
  if (kind === 'handler-failed') {
    log.error(`the participant library failed: ${describe(incident.error)}`);
  } else if (kind === 'answer-reduced') {
    log.warn(`${subject}: ${incident.why}`);
  } else {
    often.say(`broker: ${describeIncident(incident)}`, kind);
  }
}

function describeIncident(incident: ChannelIncident): string {
  const plain = Object.entries(incident).map(([key, value]) => [
    key,
    value instanceof Error ? value.message : (value as unknown),
  ]);
  return JSON.stringify(Object.fromEntries(plain));
}
