/**
 * The clients of a run: each in a loop, one thing at a time, with a breath in between, so that two
 * cores carry them. Guards variety: every way of asking, at either coordinator, sometimes at both.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../../simulation/random.js';
import type { Product } from '../../stage/product.js';
import { Client, type Coordinator, type Moment, type Sending } from './client.js';
import type { Recorder } from './recorder.js';
import type { Told } from './told.js';
import {
  ACCOUNTS,
  anyTransfer,
  increment,
  oneSided,
  opening,
  overdraw,
  overdrawAlone,
  purchase,
  read,
  readAlone,
  restock,
  transfer,
  type Work,
} from './work.js';

const BANK_CLIENTS = 6;
const COUNTER_CLIENTS = 2;
const BREATH_MS = [5, 120] as const;
/** A client that was refused at once does not ask again at once. */
const REFUSED_MS = 400;
const COORDINATORS = ['coordinator', 'coordinator-2'] as const;
const CALM_ROUNDS = 4;
/** How much of what each client asks for has one branch. */
const ALONE_SHARE = 0.4;
const HOT_CLIENTS = 16;
/** After each transfer between two hot rows. */
const HOT_BREATH_MS = [0, 20] as const;
const MEASURED_ROUNDS = 25;

/** `bank`: everything there is · `hot`: transfers between two rows in two databases, both ways. */
export type WorkKind = 'bank' | 'hot';

export interface WorkloadOptions {
  readonly seed: number;
  readonly work?: WorkKind;
}

interface Loop {
  readonly client: Client;
  readonly random: Random;
  readonly number: number;
}

export class Workload {
  private readonly loops: readonly Loop[];
  private readonly kind: WorkKind;
  private stopping = false;

  constructor(
    product: Product,
    recorder: Recorder,
    { seed, work: kind = 'bank' }: WorkloadOptions,
  ) {
    this.kind = kind;
    const length = kind === 'hot' ? HOT_CLIENTS : BANK_CLIENTS + COUNTER_CLIENTS;
    this.loops = Array.from({ length }, (_, number) => {
      const random = new Random(seed * 1_000 + number + 1);
      const isBank = kind === 'bank' && number < BANK_CLIENTS;
      const name = `${kind === 'hot' ? 'hot' : isBank ? 'bank' : 'counter'}-${number}`;
      return { random, number, client: new Client(name, product, recorder, random) };
    });
  }

  /** Opens every account; throws when that does not succeed. */
  async open(): Promise<void> {
    const { client } = this.loops[0] as Loop;
    const told = await client.submit(opening(), {
      at: 'coordinator',
      until: 'completed',
      patient: true,
    });
    if (told.type !== 'ok')
      throw new Error(`the accounts were not opened: ${JSON.stringify(told)}`);
  }

  /** A few rounds in which no client blocks another: all of it must commit. */
  async calm(): Promise<void> {
    await Promise.all(
      this.loops.map(async ({ client, random, number }) => {
        for (let round = 0; round < CALM_ROUNDS; round++) {
          const isCounting = number === BANK_CLIENTS;
          const account = number % ACCOUNTS;
          const work = isCounting ? increment() : transfer('ledger-east', account, account, 1);
          const sending: Sending = {
            at: random.pick(COORDINATORS),
            until: anyMoment(random),
            patient: true,
          };
          await (round % 2 === 0
            ? client.submit(work, sending)
            : client.submit(work, { ...sending, key: `calm-${client.newLabel()}` }));
        }
      }),
    );
  }

  /** The same transfers from all clients, as fast as they go: what others see of a stuck branch. */
  async measure(): Promise<void> {
    await Promise.all(
      this.loops.map(async ({ client, number }) => {
        for (let round = 0; round < MEASURED_ROUNDS; round++) {
          const at = COORDINATORS[round % COORDINATORS.length] as Coordinator;
          const from = round % 4 < 2 ? 'ledger-east' : 'ledger-west';
          const account = number % ACCOUNTS;
          const work = transfer(from, account, account, 1);
          await client.submit(work, { at, until: 'decided', patient: true });
        }
      }),
    );
  }

  /** One commit of all three participants, answered once it is decided. */
  async purchase(): Promise<Told> {
    const { client, random } = this.loops[0] as Loop;
    return client.submit(purchase(random), { at: 'coordinator', patient: true });
  }

  /** Works until it is stopped. */
  async run(): Promise<void> {
    await Promise.all(
      this.loops.map(async (loop) => {
        while (!this.stopping) {
          const from = performance.now();
          const told = await this.once(loop);
          const isRefused = told.type !== 'ok' && performance.now() - from < REFUSED_MS;
          const breath: readonly [number, number] = this.kind === 'hot' ? HOT_BREATH_MS : BREATH_MS;
          await pause(isRefused ? REFUSED_MS : loop.random.between(...breath));
        }
      }),
    );
  }

  stop(): void {
    this.stopping = true;
  }

  private once(loop: Loop): Promise<Told> {
    if (this.kind === 'hot') return hotOnce(loop);
    if (loop.random.chance(ALONE_SHARE)) return aloneOnce(loop);
    return loop.number < BANK_CLIENTS ? bankOnce(loop) : counterOnce(loop);
  }
}

async function hotOnce(loop: Loop): Promise<Told> {
  const { client, random, number } = loop;
  const at = COORDINATORS[number % COORDINATORS.length] as Coordinator;
  const work = transfer(random.pick(['ledger-east', 'ledger-west'] as const), 0, 0, 1);
  const told = await client.submit(work, { at, until: 'completed' });
  return told.type === 'info' ? settle(loop, at, told) : told;
}

async function bankOnce(loop: Loop): Promise<Told> {
  const { client, random } = loop;
  const draw = random.unit();
  const at = random.pick(COORDINATORS);
  const until = anyMoment(random);
  if (draw < 0.4) return settle(loop, at, await client.submit(anyTransfer(random), { at, until }));
  if (draw < 0.57) return sendTwice(loop, anyTransfer(random));
  if (draw < 0.77) {
    return settle(loop, at, await client.interact(anyTransfer(random), { at, until }));
  }
  if (draw < 0.84) return client.submit(read(random), { at, until });
  if (draw < 0.9) return client.submit(oneSided(random), { at, until });
  if (draw < 0.94) return client.submit(overdraw(random), { at, until });
  return settle(loop, at, await client.submit(purchase(random), { at, until }));
}

/** One branch, which its participant commits in one phase, except under a key. */
async function aloneOnce(loop: Loop): Promise<Told> {
  const { client, random } = loop;
  const draw = random.unit();
  const at = random.pick(COORDINATORS);
  const until = anyMoment(random);
  if (draw < 0.15) return client.submit(readAlone(random), { at, until });
  if (draw < 0.25)
    return settle(loop, at, await client.submit(overdrawAlone(random), { at, until }));
  const label = client.newLabel();
  if (draw < 0.35) return sendTwice(loop, restock(label, random), label);
  return settle(loop, at, await client.submit(restock(label, random), { at, until, label }));
}

async function counterOnce(loop: Loop): Promise<Told> {
  const { client, random } = loop;
  const at = random.pick(COORDINATORS);
  if (random.chance(0.25)) return sendTwice(loop, increment());
  return settle(loop, at, await client.submit(increment(), { at, until: anyMoment(random) }));
}

/** One key at both coordinators at once; and once more, when the result is unknown. */
async function sendTwice(
  { client, random }: Loop,
  work: Work,
  label = client.newLabel(),
): Promise<Told> {
  const send = (at: Coordinator): Promise<Told> =>
    client.submit(work, { at, label, key: `key-${label}`, until: anyMoment(random) });
  const told = await Promise.all(COORDINATORS.map(send));
  if (told.some((one) => one.type === 'info')) return send(random.pick(COORDINATORS));
  return told[0] as Told;
}

/** Asks the other coordinator what became of it: always when unknown, now and then when known. */
async function settle({ client, random }: Loop, at: Coordinator, told: Told): Promise<Told> {
  const { transaction } = told;
  if (transaction === undefined) return told;
  if (told.type !== 'info' && !random.chance(0.1)) return told;
  return client.look(transaction, at === 'coordinator' ? 'coordinator-2' : 'coordinator');
}

function anyMoment(random: Random): Moment {
  return random.chance(0.5) ? 'decided' : 'completed';
}
