/**
 * What happens between a coordinator and the register: proposals, records, the lazily noted end,
 * claims, and the crash of a coordinator with what it leaves there. Guards protocol §3: with any loss, delay
 * or repeat, there is one decision.
 */
import type { BranchId, Decision, HeuristicBranch, TransactionRecord } from '@concordat/protocol';
import { fault, type Change } from './change.js';
import type { CoordinatorHost } from './coordinator-host.js';
import type { Host } from './host.js';
import type { Scenario } from './scenario.js';
import {
  IDLE_COORDINATOR,
  branchOf,
  enlisted,
  including,
  nameOf,
  type Coordinator,
  type Forcing,
  type Slot,
  type Truth,
} from './world.js';

type Proposal = Extract<TransactionRecord, { type: 'propose-commit' }>;

export class RegisterRules {
  constructor(
    private readonly host: Host,
    private readonly scenario: Scenario,
    private readonly performing: CoordinatorHost,
  ) {}

  /** What the register's world does by itself. */
  alone(truth: Truth): Change[] {
    const changes: Change[] = [];
    if (truth.lateProposal) {
      const branches = truth.lateProposal;
      const landed = this.propose({ ...truth, lateProposal: null }, branches, 0);
      changes.push(
        { label: 'the late proposal to commit lands', kind: 'progress', truth: landed.truth },
        {
          label: 'the late proposal to commit dies',
          kind: 'choice',
          truth: { ...truth, lateProposal: null },
        },
      );
    }
    if (truth.ended && truth.decision === 'commit' && !truth.retired) {
      const label = 'the register’s server crashes and loses the end, which was not forced';
      changes.push({ label, ...fault('end lost'), truth: { ...truth, ended: null } });
    }
    if (this.scenario.keyed && !truth.keyTaken && truth.decision === 'none') {
      const label = 'another transaction commits under the same key';
      changes.push({ label, kind: 'choice', truth: { ...truth, keyTaken: true } });
    }
    return changes;
  }

  withCoordinator(coordinator: Coordinator, slot: Slot, truth: Truth): Change[] {
    if (coordinator.role === 'down') return [];
    const crashes = this.crash(coordinator, slot, truth);
    if (coordinator.unsent.length > 0) return crashes;
    return [
      ...this.waiting(coordinator).flatMap((one) => this.force(coordinator, slot, one, truth)),
      ...this.noteEnd(coordinator, slot, truth),
      ...this.claim(coordinator, slot, truth),
      ...this.usurp(coordinator, slot, truth),
      ...crashes,
    ];
  }

  /** Steps that are being made durable now: one at a time, in line. */
  private waiting({ forcing }: Coordinator): readonly Forcing[] {
    return this.host.forces === 'in line' ? forcing.slice(0, 1) : forcing;
  }

  private force(coordinator: Coordinator, slot: Slot, step: Forcing, truth: Truth): Change[] {
    const [record] = step.records;
    if (record?.type === 'heuristic') {
      const evidence = including(truth.evidence, record.branch.branch);
      const decision = truth.decision === 'none' ? 'abort' : truth.decision;
      const label = `c${slot} records the heuristic outcome of p${record.branch.branch}`;
      const noted: Truth = truth.pruned ? truth : { ...truth, evidence, decision };
      // In one phase no abort is recorded with it, and what is past retention is what it is about.
      const after: Truth = truth.inOnePhase ? { ...truth, evidence } : noted;
      const done = this.performing.goOn(coordinator, step);
      const lost = `${label}, and the answer is lost`;
      return [
        { label, kind: 'progress', coordinator: done, truth: after },
        { label: lost, ...fault('register unknown'), truth: after },
      ];
    }
    if (record?.type !== 'propose-commit') return [];
    return this.decide(record, slot, truth, (decision) => {
      const told = this.performing.apply(coordinator, { type: 'decided', decision });
      return this.performing.goOn(told, step);
    });
  }

  private decide(
    record: Proposal,
    slot: Slot,
    truth: Truth,
    answered: (decision: Decision) => Coordinator,
  ): Change[] {
    const branches = record.branches.map((one) => one.branch);
    const after = this.propose(truth, branches, slot);
    const changes: Change[] = [
      {
        label: `c${slot} proposes commit and learns that ${after.stands} is on record`,
        kind: 'progress',
        coordinator: answered(after.stands),
        truth: after.truth,
      },
    ];
    const lost = fault('register unknown');
    if (this.host.whenUnknown === 'ask again') {
      const label = `c${slot} proposes commit; the register takes it, and the answer is lost`;
      changes.push({ label, ...lost, truth: after.truth });
    } else {
      const label = `c${slot} proposes commit; the answer is lost`;
      const coordinator = answered('abort');
      changes.push({ label, ...lost, coordinator, truth: after.truth });
      changes.push({ label, ...lost, coordinator });
    }
    return changes;
  }

  private propose(
    truth: Truth,
    branches: readonly BranchId[],
    finisher: Slot | 0,
  ): { readonly truth: Truth; readonly stands: Decision } {
    if (truth.pruned) return { truth, stands: 'abort' };
    if (truth.keyTaken && truth.decision === 'none') return { truth, stands: 'abort' };
    const stands = this.host.stands(truth.decision, 'commit');
    if (stands === truth.decision) return { truth, stands };
    return { truth: { ...truth, decision: stands, branches, finisher }, stands };
  }

  private noteEnd(coordinator: Coordinator, slot: Slot, truth: Truth): Change[] {
    if (!coordinator.noting) return [];
    const noted = truth.decision !== 'none' && !truth.pruned && !truth.ended;
    return [
      {
        label: `the register notes what c${slot} said: ended, ${coordinator.noting}`,
        kind: 'progress',
        coordinator: { ...coordinator, noting: null },
        ...(noted ? { truth: { ...truth, ended: coordinator.noting } } : {}),
      },
    ];
  }

  /** recoverer.ts: commits on record of the dead are claimed; a wrong guess must cost nothing. */
  private claim(coordinator: Coordinator, slot: Slot, truth: Truth): Change[] {
    const unfinished = truth.decision === 'commit' && !truth.ended && !truth.pruned;
    if (!unfinished || truth.finisher === slot) {
      return [
        ...this.lookForOwn(coordinator, slot, truth, unfinished),
        ...(unfinished ? this.findLostEnd(coordinator, slot, truth) : []),
      ];
    }
    const claimed = { ...truth, finisher: slot };
    const how = truth.finisher === 0 ? ({ kind: 'progress' } as const) : fault('suspicion');
    const adopted = this.adopt(coordinator, truth);
    const changes: Change[] = [
      { label: `c${slot} takes the commit over`, ...how, coordinator: adopted, truth: claimed },
    ];
    if (truth.finisher === 0) {
      const label = `c${slot} claims the commit, and the answer is lost`;
      const doubtfulClaim = this.host.remembersLostClaims;
      changes.push({
        label,
        ...fault('register unknown'),
        coordinator: { ...coordinator, doubtfulClaim },
        truth: claimed,
      });
    }
    return changes;
  }

  /** A claim whose answer was lost may have succeeded. */
  private lookForOwn(
    coordinator: Coordinator,
    slot: Slot,
    truth: Truth,
    unfinished: boolean,
  ): Change[] {
    if (!coordinator.doubtfulClaim) return [];
    const known = { ...coordinator, doubtfulClaim: false };
    const label = `c${slot} looks for what its lost claim hid`;
    const after = unfinished ? this.adopt(known, truth) : known;
    return [{ label, kind: 'progress', coordinator: after }];
  }

  /**
   * An end was noted and lost: the commit is unended under the name of a coordinator that has forgotten it.
   */
  private findLostEnd(coordinator: Coordinator, slot: Slot, truth: Truth): Change[] {
    if (!this.host.looksForLostEnds || coordinator.transaction) return [];
    // While the note is still on its way, looking is haste: it costs one more round.
    const how = coordinator.noting ? fault('haste') : ({ kind: 'progress' } as const);
    const label = `c${slot} finds a commit in its own name that it has forgotten, and takes it up`;
    return [{ label, ...how, coordinator: this.adopt(coordinator, truth) }];
  }

  private adopt(coordinator: Coordinator, truth: Truth): Coordinator {
    if (coordinator.transaction) return coordinator;
    const branches = truth.branches.map((one) => enlisted(Number(one) - 1, this.scenario.work));
    return this.performing.enact(coordinator, this.host.takeOver(branches, recorded(truth)));
  }

  /** Never in the product: aborting what another coordinator has not decided, on one's own word. */
  private usurp(coordinator: Coordinator, slot: Slot, truth: Truth): Change[] {
    if (!this.host.takesOverUndecided || coordinator.role === 'owner') return [];
    if (coordinator.transaction || truth.decision !== 'none') return [];
    const all = Array.from({ length: this.scenario.participants }, (_, i) => i);
    const after = this.performing.enact(coordinator, {
      state: {
        phase: 'aborting',
        branches: new Map(all.map((i) => [branchOf(i), enlisted(i, this.scenario.work)])),
        cause: { kind: 'undetermined' },
        durable: false,
        unacknowledged: new Set(all.map(branchOf)),
        heuristics: [],
      },
      records: [],
      messages: all.map((i) => ({ type: 'abort', ...enlisted(i, this.scenario.work) })),
      timers: [{ type: 'notification' }],
    });
    const label = `c${slot} takes the owner for dead and aborts by itself`;
    return [{ label, ...fault('suspicion'), coordinator: after }];
  }

  /** What was in memory is gone; a proposal that was under way may still land. */
  private crash(coordinator: Coordinator, slot: Slot, truth: Truth): Change[] {
    const after: Coordinator = {
      ...IDLE_COORDINATOR,
      role: coordinator.role === 'owner' ? 'down' : 'other',
    };
    const left: Truth = {
      ...truth,
      finisher: truth.finisher === slot ? 0 : truth.finisher,
    };
    const how = { ...fault('coordinator crash'), coordinator: after, everyoneLoses: slot };
    const changes: Change[] = [{ label: `c${slot} CRASHES`, ...how, truth: left }];
    const proposals = coordinator.forcing.flatMap((one) =>
      one.records.filter((record): record is Proposal => record.type === 'propose-commit'),
    );
    const [proposal] = proposals;
    if (proposal && truth.decision === 'none') {
      const lateProposal = proposal.branches.map((one) => one.branch);
      const label = `c${slot} CRASHES with its proposal to commit under way`;
      changes.push({ label, ...how, truth: { ...left, lateProposal } });
    }
    return changes;
  }
}

/** What the register keeps of heuristic branches; the machine only counts which there are. */
function recorded({ evidence }: Truth): HeuristicBranch[] {
  return evidence.map((branch) => ({
    branch,
    participant: nameOf(branch),
    evidence: { decision: 'commit', found: 'missing', explanation: '' },
  }));
}
