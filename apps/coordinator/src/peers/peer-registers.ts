/**
 * Which coordinators of this cluster id work on another register than this one. Guards "one register":
 * a cloned database or an old primary holds the same cluster id, and a coordinator on it would take
 * what it does not know for undecided. Which of two registers is the wrong one cannot be known, so while
 * another one is seen nothing is answered from this one: both wait until an operator stops one.
 */
import type { RegisterName } from '@concordat/decision-log';
import type { Incarnation } from '@concordat/protocol';
import type { Dependency, DependencyState, ProbeLog } from '../health/readiness.js';

/** A coordinator under our cluster id, and what speaks against its being on our register. */
interface Peer {
  /** We did not find, in our register, what it has written into its own. */
  readonly unseenHere: boolean;
  /** It did not find in its register what we have written into ours. */
  readonly unseenThere: boolean;
  readonly register?: RegisterName;
}

export class PeerRegisters implements Dependency {
  readonly name = 'peers';
  readonly code = 'another-register';
  readonly seenThrough = {
    name: 'broker',
    lastSeen: 'they were on this register when the broker answered last',
  } as const;
  private readonly peers = new Map<Incarnation, Peer>();
  private readonly listeners = new Set<() => void>();
  private isCompared = false;
  private own: RegisterName | undefined;

  constructor(private readonly logger: ProbeLog) {}

  /** Why nothing may be answered from this register now; undefined when it may. */
  fault(): string | undefined {
    const others = this.others();
    if (others.length > 0) {
      return `another coordinator under this cluster id works on another register (${others.join(', ')}), and which one is right cannot be known`;
    }
    if (this.isCompared) return undefined;
    return 'the registers of other coordinators have not been compared with this one yet';
  }

  known(): DependencyState {
    const fault = this.fault();
    return fault === undefined
      ? { ok: true, detail: 'they are on this register' }
      : { ok: false, detail: fault };
  }

  async probe(): Promise<DependencyState> {
    return this.known();
  }

  /** Those that are known to be on another register. */
  others(): readonly Incarnation[] {
    return [...this.peers.keys()];
  }

  /** Both registers in words, for operators. */
  described(): string {
    const others = [...this.peers].map(([peer, one]) => `${peer} on ${nameText(one.register)}`);
    return [`this one on ${nameText(this.own)}`, ...others].join('; ');
  }

  /** All coordinators that are connected have been asked; what our own register is called. */
  compared(own: RegisterName): void {
    this.own = own;
    this.change(() => (this.isCompared = true));
  }

  /** Whether we found what `peer` has written into its register. */
  looked(peer: Incarnation, seen: boolean, register?: RegisterName): void {
    this.note(peer, { unseenHere: !seen }, register);
  }

  /** Whether `peer` found what we have written into ours. */
  told(peer: Incarnation, seen: boolean, register?: RegisterName): void {
    this.note(peer, { unseenThere: !seen }, register);
  }

  /** It is not there any more. */
  gone(peer: Incarnation): void {
    this.change(() => this.peers.delete(peer));
  }

  /** Calls the listener whenever this register may be answered from again. */
  onOneAgain(listener: () => void): void {
    this.listeners.add(listener);
  }

  private note(peer: Incarnation, what: Partial<Peer>, register?: RegisterName): void {
    const known = this.peers.get(peer) ?? { unseenHere: false, unseenThere: false };
    const now = { ...known, ...what, ...(register ? { register } : {}) };
    const isElsewhere = now.unseenHere || now.unseenThere;
    this.change(() => (isElsewhere ? this.peers.set(peer, now) : this.peers.delete(peer)));
  }

  private change(change: () => unknown): void {
    const [before, fault] = [this.others().join(), this.fault()];
    change();
    const others = this.others().join();
    if (others !== before && others !== '') {
      this.logger.warn(
        `another register under this cluster id: ${this.described()}. Nothing is answered from this one until one of the two is stopped`,
      );
    }
    if (fault === undefined || this.fault() !== undefined) return;
    if (before !== '') this.logger.warn('every coordinator that is there works on this register');
    for (const listener of this.listeners) listener();
  }
}

function nameText(name: RegisterName | undefined): string {
  if (!name) return 'a register that it did not name';
  const { system = 'of unknown identity', database, oid, timeline } = name;
  const line = timeline === undefined ? '' : `, timeline ${timeline}`;
  return `database ${database} (oid ${oid}) of server ${system}${line}`;
}
