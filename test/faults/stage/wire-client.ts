/**
 * A NATS client that knows nothing of the product but docs/wire-protocol.md: it plays a coordinator
 * that sends what it likes, or a participant that answers as its script says.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { makeTransactionId, tokenFrom } from '@concordat/protocol';
import type { Product } from '../../stage/product.js';

export type WireMessage = Readonly<Record<string, unknown>>;

export class WireClient {
  readonly incarnation = tokenFrom(randomBytes(8));

  private constructor(
    readonly connection: NatsConnection,
    readonly cluster: string,
  ) {}

  static async connect(product: Product): Promise<WireClient> {
    const connection = await connect({ servers: product.stack.nats.url });
    return new WireClient(connection, await product.cluster());
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  subject(rest: string): string {
    return `concordat.${this.cluster}.v1.${rest}`;
  }

  newTransaction(): string {
    return makeTransactionId(Date.now(), randomBytes(10), this.incarnation);
  }

  /** Everything a command says, for a participant's branch. */
  command(type: string, participant: string, transaction: string, more: WireMessage = {}) {
    return {
      v: 1,
      type,
      cluster: this.cluster,
      transaction,
      branch: '1',
      participant,
      epoch: this.incarnation,
      timeLeftMs: 5_000,
      ...(type === 'prepare' ? { participants: [participant] } : {}),
      ...more,
    };
  }

  /** Sends a command as a coordinator would, and resolves with the answer. */
  async ask(message: WireMessage | string, to: { participant: string; verb: string }) {
    const token = randomBytes(8).toString('hex');
    const reply = this.subject(`reply.coord.${to.participant}.${this.incarnation}.${token}`);
    const answer = this.connection.subscribe(reply, { max: 1, timeout: 10_000 });
    const payload = typeof message === 'string' ? message : JSON.stringify(message);
    this.connection.publish(this.subject(`cmd.${to.participant}.${to.verb}`), payload, { reply });
    for await (const one of answer) return JSON.parse(one.string()) as WireMessage;
    throw new Error('no answer came');
  }
}

/** What a scripted participant says to a command: any number of messages, or anything else. */
export type Script = (command: WireMessage, message: Msg) => readonly (WireMessage | string)[];

/** A participant that votes and acknowledges by a script, and remembers what it received. */
export class ScriptedParticipant {
  readonly heard: WireMessage[] = [];

  constructor(
    private readonly client: WireClient,
    readonly name: string,
    private readonly script: Script,
  ) {}

  async listen(): Promise<this> {
    const { connection } = this.client;
    connection.subscribe(this.client.subject(`cmd.${this.name}.>`), {
      queue: this.name,
      callback: (_, message) => {
        const command = JSON.parse(message.string()) as WireMessage;
        this.heard.push(command);
        for (const said of this.script(command, message)) {
          message.respond(typeof said === 'string' ? said : JSON.stringify(said));
        }
      },
    });
    await connection.flush();
    return this;
  }

  /** The commands received, as `prepare`, `commit`, `abort`. */
  get told(): unknown[] {
    return this.heard.map((one) => one['type']);
  }
}

/** An answer to a command, about the same branch. */
export function answering(command: WireMessage, type: string, more: WireMessage): WireMessage {
  const { transaction, branch, participant } = command;
  return { v: 1, type, transaction, branch, participant, instance: 'scripted', ...more };
}

export const yes = (command: WireMessage): WireMessage =>
  answering(command, 'vote', { vote: { kind: 'prepared' }, outputs: [] });

export const no = (command: WireMessage): WireMessage =>
  answering(command, 'vote', {
    vote: { kind: 'no', code: 'UNWILLING', reason: 'the script says so', retryable: false },
    outputs: [],
  });

export const done = (command: WireMessage): WireMessage =>
  answering(command, 'acknowledged', {
    outcome: { kind: command['type'] === 'commit' ? 'committed' : 'aborted' },
  });
