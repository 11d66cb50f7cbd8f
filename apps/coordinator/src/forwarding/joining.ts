/**
 * Asks the coordinator that has claimed a key for the answer of the request that it runs under it, for the
 * same request that a client sent here (ADR 38). The fingerprint travels, not the body: both are the same.
 */
import type { Joined, KeyClaim } from '@concordat/engine';
import { Injectable } from '@nestjs/common';
import type { Principal } from '../access/key-ring.js';
import type { Reply } from '../requests/reply.js';
import type { Wait } from '../requests/wait.js';
import { Forwarder } from './forwarder.js';

/** What that coordinator needs besides its wait: questions of its own to the register. */
const MARGIN_MS = 5_000;
/** The status of an answer that says: nothing runs under this claim here. */
export const NOTHING_RUNS = 204;

@Injectable()
export class Joining {
  constructor(private readonly forwarder: Forwarder) {}

  /** Throws the problem that it answers with. Whether it is still there is the caller's to watch, until `over`. */
  async ask(
    { claimant, fingerprint }: KeyClaim,
    { key, wait }: { readonly key: string; readonly wait: Wait },
    principal: Principal,
    over: Promise<void>,
  ): Promise<Joined<Reply>> {
    const body = { fingerprint };
    const asked = { transaction: claimant, verb: 'join', key, body, wait } as const;
    const told = await this.forwarder.ask(asked, principal, wait.waitMs + MARGIN_MS, over);
    if (told.kind !== 'answered') return told;
    const { reply } = told;
    return reply.status === NOTHING_RUNS ? { kind: 'over' } : { kind: 'answered', answer: reply };
  }
}
