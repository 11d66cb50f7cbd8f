/**
 * Subjects: every NATS subject of the protocol, in one place. Guards protocol §2 and §8: everything
 * lies below `concordat.<cluster>.v1.`, so that two clusters can share a broker and never hear each
 * other, and every reply inbox names whoever was asked or whoever asks, so that the broker's
 * permissions (and our own check before each answer) can tell an inbox from a command subject.
 */
import type { ClusterId, Incarnation, InstanceId, ParticipantName } from '@concordat/protocol';

/** What a participant can be told. */
export const COMMAND_VERBS = ['work', 'prepare', 'commit', 'abort', 'inspect'] as const;
export type CommandVerb = (typeof COMMAND_VERBS)[number];

/** What a coordinator can be asked. */
export const QUESTION_VERBS = [
  'inquire',
  'report-heuristic',
  'enlist',
  'ping',
  'live',
  'low-water-mark',
] as const;
export type QuestionVerb = (typeof QUESTION_VERBS)[number];

/**
 * The only subjects that name no cluster: how a participant that knows nothing but the broker finds
 * its cluster. Not below `concordat.<cluster>.v1.` of any cluster, not even of one called `discover`.
 */
export const DISCOVERY_SUBJECT = 'concordat.discover.v1';
export const DISCOVERY_REPLY_PREFIX = 'concordat.discover.reply.';

/** Each cluster answers a discovery once, whatever the number of its coordinators. */
export const discoveryQueue = (cluster: ClusterId): string => `coordinators-${cluster}`;

/** The queue group that shares what is asked of any coordinator. */
export const COORDINATORS_QUEUE = 'coordinators';

/** The queue group that shares what is told to any instance of a participant. */
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

  /** Heard by every instance of every participant; answered below each one's own reply inbox. */
  get inspectAll(): string {
    return `${this.root}.inspect`;
  }

  /** A question to any coordinator. */
  toAnyCoordinator(verb: QuestionVerb): string {
    return `${this.root}.coord.any.${verb}`;
  }

  /** A question to one incarnation of a coordinator. */
  toIncarnation(incarnation: Incarnation, verb: QuestionVerb): string {
    return `${this.root}.coord.${incarnation}.${verb}`;
  }

  get questionsToAnyCoordinator(): string {
    return `${this.root}.coord.any.*`;
  }

  questionsToIncarnation(incarnation: Incarnation): string {
    return `${this.root}.coord.${incarnation}.*`;
  }

  /** A nudge: a coordinator came up. Nobody relies on it. */
  get coordinatorUp(): string {
    return `${this.root}.event.coordinator-up`;
  }

  /**
   * Where a participant's answers to commands go. The name of whoever was *asked* comes first, so
   * that a broker can allow each participant to answer in its own name only.
   */
  replyToCommand(participant: ParticipantName, asker: Incarnation, token: string): string {
    return `${this.root}.reply.coord.${participant}.${asker}.${token}`;
  }

  /** The one wildcard inbox in which an incarnation hears the answers to all its commands. */
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

  /** Below one of these lies every inbox that a coordinator may answer to, whoever asks. */
  get askerReplyPrefixes(): readonly string[] {
    return [`${this.root}.reply.p.`, `${this.root}.reply.c.`];
  }

  /** Below this, and nowhere else, a coordinator answers that coordinator. */
  coordinatorReplyPrefix(asker: Incarnation): string {
    return `${this.root}.reply.c.${asker}.`;
  }
}

/** The last token of a subject: its verb, where it has one. */
export function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

/**
 * Whether a reply subject lies below an inbox. Guards against the measured forgery: a reply subject
 * that names a command subject would make whoever answers publish a command in the asker's stead.
 */
export function liesBelow(reply: string | undefined, prefix: string): reply is string {
  return (
    reply !== undefined &&
    reply.length > prefix.length &&
    reply.startsWith(prefix) &&
    !/[\s*>]|\.\.|\.$/.test(reply)
  );
}
