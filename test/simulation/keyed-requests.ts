/**
 * Requests under a key as a coordinator's REST commands carry them out: begun here, joined at the coordinator
 * that holds the claim, or answered by the commit that holds the key.
 */
import {
  KeyedBegins,
  type IdempotencyKey,
  type Joined,
  type KeyClaim,
  type KeyedAdmission,
  type KeyedBeginsPorts,
  type OneCall,
  type BegunRequest,
  type TransactionManager,
  type TransactionView,
  type WaitFor,
} from '@concordat/engine';
import { ownerOf, type Incarnation } from '@concordat/protocol';
import type { History } from './history.js';
import type { Host } from './host.js';
import type { Network } from './network.js';

/** What its client gets. */
export interface KeyedAnswer extends Pick<
  TransactionView,
  'transaction' | 'decision' | 'outcome' | 'cause'
> {
  /** Another request had begun it. */
  readonly replayed: boolean;
  /** Absent where the answer is the commit on record that holds the key. */
  readonly view?: TransactionView;
}

export interface AskedToJoin {
  readonly claim: KeyClaim;
  readonly wait: WaitFor;
}

/** Nothing where nothing runs under the claim. */
export interface JoinAnswer {
  readonly told?: KeyedAnswer;
}

export class KeyedRequests {
  private readonly keyed: KeyedBegins;

  constructor(
    private readonly around: {
      readonly host: Host;
      readonly network: Network;
      readonly history: History;
      /** How long another coordinator's answer may take, beyond its client's time. */
      readonly patienceMs: number;
    },
    ports: KeyedBeginsPorts,
    private readonly manager: TransactionManager,
    self: Incarnation,
  ) {
    this.keyed = new KeyedBegins(ports, self);
  }

  async submit(
    call: OneCall & { readonly idempotency: IdempotencyKey },
    wait: WaitFor,
    launch: () => BegunRequest = () => this.manager.launch(call),
  ): Promise<KeyedAnswer> {
    const { idempotency } = call;
    const { history } = this.around;
    const admission = await this.keyed.admit<KeyedAnswer>(idempotency, {
      claimant: () => this.manager.spareId('client'),
      begin: () => {
        const begun = launch();
        history.begunUnder(idempotency.key, begun.transaction, begun.ended());
        return Promise.resolve(begun);
      },
      join: (claim) => this.ask({ claim, wait }),
    });
    if (admission.kind !== 'elsewhere') return this.answer(admission, idempotency, wait);
    history.count('joinedElsewhere');
    return { ...admission.answer, replayed: true };
  }

  /** A request of another coordinator's client, by the claim that was seen there. */
  async join({ claim, wait }: AskedToJoin): Promise<JoinAnswer> {
    const admission = await this.keyed.joinedBy(claim);
    return admission ? { told: await this.answer(admission, claim, wait) } : {};
  }

  private async ask(asked: AskedToJoin): Promise<Joined<KeyedAnswer>> {
    const { host, network, patienceMs } = this.around;
    const to = `coordinator/${ownerOf(asked.claim.claimant)}`;
    const { waitMs } = asked.wait;
    const answer = await network.request<JoinAnswer>(host, to, 'join', asked, waitMs + patienceMs);
    if (answer.kind === 'no-responders') return { kind: 'gone' };
    if (answer.kind === 'no-answer') return { kind: 'unknown', why: answer.why };
    const { told } = answer.answer;
    return told ? { kind: 'answered', answer: told } : { kind: 'over' };
  }

  private async answer(
    admission: KeyedAdmission,
    idempotency: IdempotencyKey,
    { until, waitMs }: WaitFor,
  ): Promise<KeyedAnswer> {
    if (admission.kind === 'stored') return { ...admission.standing, replayed: true };
    const { begun, replayed } = admission;
    await begun.wait(waitMs);
    const id = begun.conclude();
    const view = await this.manager.wait(id, until, waitMs);
    if (!view || view.decision === 'abort') {
      const holder = await this.keyed.holder(idempotency);
      if (holder) return { ...holder, replayed: true };
    }
    return view ? { ...view, replayed, view } : { transaction: id, replayed };
  }
}
