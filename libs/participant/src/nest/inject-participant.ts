/**
 * Injection by participant, for applications that have several. Without a name these are what the
 * plain classes are, which is all that an application with one participant needs.
 */
import { Inject, type Type } from '@nestjs/common';
import { BranchContext } from './branch-context.js';
import { BranchRunner } from './branch-runner.js';
import { JoinTransactionInterceptor } from './join-transaction.interceptor.js';
import { ParticipantHost } from './participant.host.js';
import { tokenOf } from './tokens.js';

/** What each participant of an application has of its own. */
export type OfParticipant =
  | BranchContext
  | BranchRunner
  | JoinTransactionInterceptor
  | ParticipantHost;

const KINDS = new Map<Type<OfParticipant>, string>([
  [BranchContext, 'BranchContext'],
  [BranchRunner, 'BranchRunner'],
  [JoinTransactionInterceptor, 'JoinTransactionInterceptor'],
  [ParticipantHost, 'ParticipantHost'],
] as [Type<OfParticipant>, string][]);

/**
 * The injection token of `ParticipantHost`, `BranchRunner`, `BranchContext` or
 * `JoinTransactionInterceptor` of one participant: for `app.get`, `inject` and `useExisting`.
 */
export function participantToken(type: Type<OfParticipant>, participant: string): symbol {
  return tokenOf(KINDS.get(type) ?? type.name, participant);
}

/** Injects the ParticipantHost of a participant; without a name, of the only one. */
export function InjectParticipantHost(participant?: string) {
  return inject(ParticipantHost, participant);
}

/** Injects the BranchRunner of a participant; without a name, of the only one. */
export function InjectBranchRunner(participant?: string) {
  return inject(BranchRunner, participant);
}

/** Injects the branch of a participant; without a name, the branch that is current. */
export function InjectBranchContext(participant?: string) {
  return inject(BranchContext, participant);
}

function inject(type: Type<OfParticipant>, participant?: string) {
  return Inject(participant === undefined ? type : participantToken(type, participant));
}
