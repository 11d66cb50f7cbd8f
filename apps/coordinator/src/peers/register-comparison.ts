/**
 * Comparing registers: every coordinator sends the others the number of the heartbeat that it has just
 * written, and each looks whether its own register holds it. Guards "one register" exactly: what was written
 * into one database is read from another only if they are one, independent of clocks, identifiers and copies.
 * At the start before anything is answered, then after every heartbeat.
 *
 * Silence proves nothing: who does not answer is neither believed nor blamed, and who was found
 * elsewhere stays so until it is seen here or the broker says that it is gone.
 */
import type { NatsCoordinatorChannel, RegisterSeen } from '@concordat/channel';
import type { PostgresDecisionRegister, RegisterName } from '@concordat/decision-log';
import type { Clock } from '@concordat/engine';
import type { Incarnation } from '@concordat/protocol';
import { Logger } from '@nestjs/common';
import type { PeerRegisters } from './peer-registers.js';

export interface ComparisonPorts {
  readonly register: PostgresDecisionRegister;
  readonly coordinators: NatsCoordinatorChannel;
  readonly peers: PeerRegisters;
  readonly clock: Clock;
}

export interface ComparisonOptions {
  readonly incarnation: Incarnation;
  readonly periodMs: number;
  /** Who wrote into our register within so long is asked by name before the first answer. */
  readonly recentMs: number;
}

export class RegisterComparison {
  private readonly logger = new Logger('Peers');
  private cancel: () => void = () => undefined;
  private running: Promise<void> = Promise.resolve();
  private isStopped = false;
  private askedBeat = 0;

  constructor(
    private readonly ports: ComparisonPorts,
    private readonly options: ComparisonOptions,
  ) {}

  /** Resolves once all connected coordinators have been asked. Rejects when the register does not answer. */
  async start(): Promise<void> {
    const { register, peers } = this.ports;
    const { incarnation, recentMs } = this.options;
    const name = await register.name();
    const recent = (await register.coordinators()).filter(
      (one) => one.incarnation !== incarnation && one.seenAgoMs < recentMs,
    );
    await Promise.all([
      this.askAll(name),
      ...recent.map((one) => this.askOne(one.incarnation, name)),
    ]);
    peers.compared(name);
    this.schedule();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.cancel();
    await this.running;
  }

  /** Another coordinator says that it has written this heartbeat: is it in our register? */
  async answer(asked: {
    readonly coordinator: Incarnation;
    readonly beat: number;
    readonly register: RegisterName;
  }): Promise<RegisterSeen> {
    const { register, peers } = this.ports;
    const { coordinator, beat } = asked;
    const seen = await register.holdsBeat(coordinator, beat);
    peers.looked(coordinator, seen, asked.register);
    return { seen, register: await register.name() };
  }

  private async round(): Promise<void> {
    const { register, peers } = this.ports;
    // Without a new heartbeat the register is away: what was written before may have been copied.
    if (register.latestBeat() > this.askedBeat) await this.askAll(await register.name());
    await Promise.all(peers.others().map((one) => this.lookAfter(one)));
  }

  private schedule(): void {
    if (this.isStopped) return;
    this.cancel = this.ports.clock.after(this.options.periodMs, () => {
      this.running = this.round()
        .catch((error: unknown) => this.logger.warn(`not compared now: ${String(error)}`))
        .finally(() => this.schedule());
    });
  }

  private async askAll(name: RegisterName): Promise<void> {
    const { register, coordinators, peers } = this.ports;
    const beat = register.latestBeat();
    this.askedBeat = beat;
    const answers = await coordinators.compareRegisters({ beat, register: name });
    for (const [peer, said] of answers) peers.told(peer, said.seen, said.register);
  }

  private async askOne(peer: Incarnation, name: RegisterName): Promise<void> {
    const { register, coordinators, peers } = this.ports;
    const question = { beat: register.latestBeat(), register: name };
    const answer = await coordinators.compareRegister(peer, question);
    if (answer.kind === 'answered') peers.told(peer, answer.answer.seen, answer.answer.register);
  }

  private async lookAfter(peer: Incarnation): Promise<void> {
    const answer = await this.ports.coordinators.ping(peer);
    if (answer.kind === 'no-responders') this.ports.peers.gone(peer);
  }
}
