/**
 * One connection through a proxy: two sockets, and between them frames that pass one by one, each
 * after the rules had their say. In a stream a held frame holds what follows; messages overtake.
 * The end of a connection is passed on like a frame: what a dying client sent arrives before it.
 */
import type { Socket } from 'node:net';
import type { Frame, Framer, Side } from './frame.js';
import type { Rule } from './rule.js';

export interface PipeRules {
  readonly unit: 'stream' | 'messages';
  readonly framer: Framer;
  /** The first rule that acts on the frame. */
  ruleFor(frame: Frame): Rule | undefined;
  /** Resolves when nothing clogs the proxy. */
  open(): Promise<void> | undefined;
}

export class Pipe {
  private silent = false;
  private readonly tails: Record<Side, Promise<void>> = {
    client: Promise.resolve(),
    server: Promise.resolve(),
  };

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly rules: PipeRules,
    onGone: (pipe: Pipe) => void,
  ) {
    let open = 2;
    for (const [side, socket] of [
      ['client', client],
      ['server', server],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('data', (chunk: Buffer) => {
        for (const frame of rules.framer.push(side, chunk)) {
          this.inTurn(side, () => this.forward(frame));
        }
      });
      socket.on('error', () => undefined); // Its end follows.
      socket.on('close', () => {
        this.inTurn(side, () => this.endOther(side));
        open -= 1;
        if (open === 0) onGone(this);
      });
    }
  }

  /** Whether nothing passes here any more. */
  get isSilent(): boolean {
    return this.silent;
  }

  /** Both ends lose the connection now. */
  cut(): void {
    this.silent = true;
    this.client.destroy();
    this.server.destroy();
  }

  private inTurn(side: Side, step: () => Promise<void>): void {
    this.tails[side] = this.tails[side].then(step);
  }

  private async forward(frame: Frame): Promise<void> {
    await this.rules.open();
    if (this.silent) return;
    const rule = this.rules.ruleFor(frame);
    if (!rule) return this.write(frame);
    switch (rule.action) {
      case 'cut-before':
        return this.cut();
      case 'cut-after':
        await this.write(frame);
        return this.cut();
      case 'half-open':
        this.silent = true;
        return;
      case 'drop':
        return;
      case 'watch':
        return this.write(frame);
      case 'hold':
        return this.later(frame, rule.released);
      default:
        if ('copies' in rule.action) {
          for (let copy = 0; copy < rule.action.copies; copy++) await this.write(frame);
          return;
        }
        return this.later(frame, pause(rule.action.delayMs));
    }
  }

  private async later(frame: Frame, when: Promise<void>): Promise<void> {
    const passed = when.then(() => (this.silent ? undefined : this.write(frame)));
    if (this.rules.unit === 'stream') await passed;
  }

  /** Resolves when the kernel has it; a socket that is gone takes nothing. */
  private write({ from, bytes }: Frame): Promise<void> {
    const to = from === 'client' ? this.server : this.client;
    if (to.destroyed || to.writableEnded) return Promise.resolve();
    return new Promise((resolve) => to.write(bytes, () => resolve()));
  }

  private async endOther(side: Side): Promise<void> {
    await this.rules.open();
    // Half-open: the other end goes on believing.
    if (this.silent) return;
    (side === 'client' ? this.server : this.client).end();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
