/**
 * Subjects: every NATS subject of the protocol, in one place. Guards protocol §2 and §8: everything is below
 * `concordat.<cluster>.v1.`, so that two clusters can share a broker and never receive each other's messages;
 * every question names its asker in its subject, so that the broker's permissions guarantee it; and every
 * reply inbox names the answering or the asking process, so that permissions (and our own check before each
 * answer) can distinguish an inbox from a command subject.
 */
import {
  isIncarnation,
  isParticipantName,
  type ClusterId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
} from '@concordat/protocol';

/** The commands for a participant. */
export const COMMAND_VERBS = ['work', 'prepare', 'commit', 'abort', 'inspect'] as const;
export type CommandVerb = (typeof COMMAND_VERBS)[number];

/** What a participant may ask a coordinator. */
export const PARTICIPANT_QUESTIONS = [
  'inquire',
  'report-heuristic',
  'enlist',
  'low-water-mark',
  'waits',
] as const;

/** What a coordinator may ask a coordinator. */
export const COORDINATOR_QUESTIONS = [
  'inquire',
  'ping',
  'live',
  'low-water-mark',
  'same-register',
  'forward',
  'waits-of',
] as const;

export type QuestionVerb =
  | (typeof PARTICIPANT_QUESTIONS)[number]
  | (typeof COORDINATOR_QUESTIONS)[number];

/** The asker of a coordinator: what the subject of the question says, and what its body must repeat. */
export type AskerName =
  | { readonly participant: ParticipantName }
  | { readonly coordinator: Incarnation };

/**
 * The only subjects that name no cluster: how a participant that knows nothing but the broker finds
 * its cluster. Not below `concordat.<cluster>.v1.` of any cluster, not even of one called `discover`.
 */
export const DISCOVERY_SUBJECT = 'concordat.discover.v1';
export const DISCOVERY_REPLY_PREFIX = 'concordat.discover.reply.';

/** Each cluster answers a discovery once, with any number of coordinators. */
export const discoveryQueue = (cluster: ClusterId): string => `coordinators-${cluster}`;

/** The queue group that shares what is asked of any coordinator. */
export const COORDINATORS_QUEUE = 'coordinators';

/** The queue group that shares messages for any instance of a participant. */
export const participantQueue = (participant: ParticipantName): string => participant;

/** The subjects of one cluster. */
export class Subjects {
  private readonly root: string;

  constructor(readonly cluster: ClusterId) {
    this.root = `concordat.${cluster}.v1`;
  }

  /** A command to any instance of a participant, or to one; an instance is a token more. */
  command(participant: ParticipantName, verb: CommandVerb, instance?: InstanceId): string {
    return instance === undefined
      ? `${this.root}.cmd.${participant}.${verb}`
      : `${this.root}.cmd.${participant}.${instance}.${verb}`;
  }

  /** Received by every instance of every participant; answered below each one's own reply inbox. */
  get inspectAll(): string {
    return `${this.root}.inspect`;
  }

  /**
   * A question to any coordinator. The asker comes first, so that a broker can allow each participant
   * to ask in its own name only.
   */
  toAnyCoordinator(asker: AskerName, verb: QuestionVerb): string {
    return `${this.questionPrefix(asker)}any.${verb}`;
  }

  /** A question to every coordinator, each of which answers. */
  toEveryCoordinator(asker: AskerName, verb: QuestionVerb): string {
    return `${this.questionPrefix(asker)}every.${verb}`;
  }

  /** What every coordinator is asked by each other. */
  get questionsToEveryCoordinator(): readonly string[] {
    return [`${this.root}.coord.c.*.every.same-register`];
  }

  /** A question to one incarnation of a coordinator. */
  toIncarnation(asker: AskerName, incarnation: Incarnation, verb: QuestionVerb): string {
    return `${this.questionPrefix(asker)}${incarnation}.${verb}`;
  }

  /** What coordinators share: of participants, and of each other. */
  get questionsToAnyCoordinator(): readonly string[] {
    return [`${this.root}.coord.p.*.any.*`, `${this.root}.coord.c.*.any.*`];
  }

  questionsToIncarnation(incarnation: Incarnation): readonly string[] {
    return [`${this.root}.coord.p.*.${incarnation}.*`, `${this.root}.coord.c.*.${incarnation}.*`];
  }

  /** Below this, and nowhere else, that asker asks coordinators. */
  questionPrefix(asker: AskerName): string {
    return 'coordinator' in asker
      ? `${this.root}.coord.c.${asker.coordinator}.`
      : `${this.root}.coord.p.${asker.participant}.`;
  }

  /** A nudge: a coordinator came up. No rule depends on it. */
  get coordinatorUp(): string {
    return `${this.root}.event.coordinator-up`;
  }

  /**
   * Where a participant's answers to commands go. The name of the *asked* participant comes first, so that a
   * broker can allow each participant to answer in its own name only.
   */
  replyToCommand(participant: ParticipantName, asker: Incarnation, token: string): string {
    return `${this.root}.reply.coord.${participant}.${asker}.${token}`;
  }

  /** The one wildcard inbox in which an incarnation receives the answers to all its commands. */
  commandReplies(asker: Incarnation): string {
    return `${this.root}.reply.coord.*.${asker}.*`;
  }

  /** Below this, and nowhere else, a participant answers commands. */
  commandReplyPrefix(participant: ParticipantName): string {
    return `${this.root}.reply.coord.${participant}.`;
  }

  /** Where a coordinator's answers to a participant go. */
  replyToParticipant(participant: ParticipantName, instance: InstanceId, token: string): string {
    return `${this.root}.reply.p.${participant}.${instance}.${token}`;
  }

  participantReplies(participant: ParticipantName, instance: InstanceId): string {
    return `${this.root}.reply.p.${participant}.${instance}.*`;
  }

  /** Below this, and nowhere else, a coordinator answers that participant. */
  participantReplyPrefix(participant: ParticipantName): string {
    return `${this.root}.reply.p.${participant}.`;
  }

  /** Where a coordinator's answers to another coordinator go. */
  replyToCoordinator(asker: Incarnation, token: string): string {
    return `${this.root}.reply.c.${asker}.${token}`;
  }

  coordinatorReplies(asker: Incarnation): string {
    return `${this.root}.reply.c.${asker}.*`;
  }

  /** Below this, and nowhere else, a coordinator answers that coordinator. */
  coordinatorReplyPrefix(asker: Incarnation): string {
    return `${this.root}.reply.c.${asker}.`;
  }

  /** Below this, and nowhere else, a coordinator answers that asker. */
  askerReplyPrefix(asker: AskerName): string {
    return 'coordinator' in asker
      ? this.coordinatorReplyPrefix(asker.coordinator)
      : this.participantReplyPrefix(asker.participant);
  }
}

/** The asker, as the subject of a question says; undefined where that is no name. */
export function askerOf(subject: string): AskerName | undefined {
  const [, , , , kind, name = ''] = subject.split('.');
  if (kind === 'p' && isParticipantName(name)) return { participant: name };
  if (kind === 'c' && isIncarnation(name)) return { coordinator: name };
  return undefined;
}

/** The instance of a participant that asks, by where it takes its answers. */
export function askingInstance(reply: string): InstanceId | undefined {
  const [, , , , kind, , instance = ''] = reply.split('.');
  // Tokens of processes are of one form.
  return kind === 'p' && isIncarnation(instance) ? (instance as string as InstanceId) : undefined;
}

/** The last token of a subject: its verb, where it has one. */
export function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

/**
 * Whether a reply subject is below an inbox. Guards against the measured forgery: a reply subject that names
 * a command subject would make the answering process publish a command for the asker.
 */
export function liesBelow(reply: string | undefined, prefix: string): reply is string {
  return (
    reply !== undefined &&
    reply.length > prefix.length &&
    reply.startsWith(prefix) &&
    !/[\s*>]|\.\.|\.$/.test(reply)
  );
}
