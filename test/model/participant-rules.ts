/**
 * What a participant's processes can do next: take messages, work, vote, carry decisions out, crash.
 * Any instance may take any message. Guards protocol §4.2 and §4.4 from the outside: in any
 * order, nothing here decides.
 */
import type { Decision } from '@concordat/protocol';
import { BranchHost } from './branch-host.js';
import { fault, type Change } from './change.js';
import { DatabaseRules } from './database-rules.js';
import type { Host } from './host.js';
import { deliveries, losses } from './mail.js';
import type { Scenario } from './scenario.js';
import { IDLE_INSTANCE, type Instance, type Participant, type Slot } from './world.js';

export class ParticipantRules {
  private readonly performing: BranchHost;
  private readonly database: DatabaseRules;

  constructor(
    private readonly host: Host,
    private readonly scenario: Scenario,
  ) {
    this.performing = new BranchHost(host);
    this.database = new DatabaseRules(host, this.performing, scenario.onePhase);
  }

  alone(participant: Participant): Change[] {
    const changes = [...losses(participant), ...this.database.alone(participant)];
    participant.instances.forEach((instance, k) => {
      changes.push(
        ...this.prepares(participant, k),
        ...this.work(participant, k, instance),
        ...this.database.ofInstance(participant, k, instance),
        ...this.decisions(participant, k),
        ...this.crash(participant, k, instance),
      );
    });
    return changes;
  }

  private prepares(participant: Participant, k: number): Change[] {
    return deliveries(participant, (mail) => mail === 'prepare').map(
      ({ after, again, ...how }) => ({
        kind: how.kind,
        ...(how.spends ? { spends: how.spends } : {}),
        label: `${instanceName(participant, k)} gets prepare${again}`,
        participant: this.takePrepare(after, k),
      }),
    );
  }

  /** branch-manager.ts, `prepare`. */
  private takePrepare(participant: Participant, k: number): Participant {
    const instance = participant.instances[k] as Instance;
    const { vote, branch } = instance;
    if (vote === 'pending') return participant; // The first one's answer serves both.
    if (vote !== 'none') return this.performing.say(participant, vote);
    if (this.scenario.work === 'open') {
      const asked = { ...instance, vote: 'pending' as const };
      const waiting = this.performing.with(participant, k, asked);
      if (branch.phase === 'working') return waiting;
      if (branch.phase === 'absent') return this.performing.say(participant, 'no');
      return this.performing.vote(waiting, k, 'no');
    }
    if (branch.phase !== 'absent') return participant; // Refused: it has already begun here.
    return this.performing.begin(participant, k);
  }

  private work(participant: Participant, k: number, instance: Instance): Change[] {
    const { votes, steady, work } = this.scenario;
    const at = instanceName(participant, k);
    if (instance.branch.phase !== 'working') return this.doubt(participant, k, instance);
    const changes: Change[] = [];
    if (votes.includes('no') || work === 'open') {
      changes.push({
        label: `the work at ${at} refuses, or its time is over`,
        kind: work === 'open' ? 'timeout' : 'choice',
        participant: this.performing.refuse(participant, k),
      });
    }
    if (instance.vote !== 'pending') return changes;
    for (const nature of ['writes', 'reads'] as const) {
      if (!votes.includes(nature === 'writes' ? 'prepared' : 'read-only')) continue;
      if (participant.nature !== 'open' && participant.nature !== nature) continue;
      const known =
        steady && votes.includes('read-only') ? { ...participant, nature } : participant;
      changes.push({
        label: `the work at ${at} ${nature === 'writes' ? 'is done' : 'writes nothing'}`,
        kind: 'progress',
        participant: this.performing.prepare(known, k, nature),
      });
    }
    return changes;
  }

  /** Memory of a branch that others have finished goes; and a bug that decides alone. */
  private doubt(participant: Participant, k: number, instance: Instance): Change[] {
    if (instance.branch.phase !== 'prepared') return [];
    const at = instanceName(participant, k);
    if (participant.row !== 'prepared' && instance.statement === 'idle') {
      const after = this.performing.with(participant, k, IDLE_INSTANCE);
      const label = `${at} sees that its branch is finished, and forgets it`;
      return [{ label, kind: 'progress', participant: after }];
    }
    if (!this.host.participantGivesUp) return [];
    const label = `${at} has waited long enough and rolls back`;
    const after = this.performing.carryOut(participant, k, 'abort');
    return [{ label, kind: 'timeout', participant: after }];
  }

  private decisions(participant: Participant, k: number): Change[] {
    const at = instanceName(participant, k);
    const byMail = deliveries(participant, (mail) => /^(commit|abort)</.test(mail)).map(
      ({ mail, after, again, ...how }): Change => {
        const [decision, from] = mail.split('<') as [Decision, string];
        const asker = from === '0' ? 'no-asker' : (Number(from) as Slot);
        return {
          ...how,
          label: `${at} gets ${decision}${again}`,
          participant: this.performing.carryOut(after, k, decision, asker),
        };
      },
    );
    const { inquiry } = participant;
    if (inquiry !== 'reply commit' && inquiry !== 'reply abort') return byMail;
    const decision = inquiry === 'reply commit' ? 'commit' : 'abort';
    const heard = { ...participant, inquiry: 'none' as const };
    return [
      ...byMail,
      {
        label: `${at} learns by inquiry: ${decision}`,
        kind: 'progress',
        participant: this.performing.carryOut(heard, k, decision, 0),
      },
    ];
  }

  private crash(participant: Participant, k: number, instance: Instance): Change[] {
    // What an idle one could lose is the evidence that it has not reported yet.
    if (instance.branch.phase === 'absent' && !participant.unreported) return [];
    const silent = { ...participant, unreported: null };
    const gone = this.performing.with(silent, k, IDLE_INSTANCE);
    const label = `${instanceName(participant, k)} CRASHES`;
    const left = this.performing.abandon(gone, instance);
    const changes: Change[] = [{ label, ...fault('participant crash'), participant: left }];
    if (left.orphan !== gone.orphan) {
      const how = fault('participant crash');
      changes.push({ label: `${label}, and its session dies with it`, ...how, participant: gone });
    }
    return changes;
  }
}

function instanceName(participant: Participant, k: number): string {
  return participant.instances.length === 1 ? '{p}' : `{p}.${k + 1}`;
}
