/** Everything that is known of a transaction, and where: memory, register, databases. */
import type { Story } from './story.js';
import { listed, participantsOf } from './wording.js';

export function show(story: Story, transaction: string): void {
  const { trace, gate, databases } = story;
  const id = story.id(transaction);
  const { coordinators, participants } = story.processes();
  for (const { name, manager } of coordinators) {
    const view = manager.view(id);
    if (!view) continue;
    const waiting = view.branches
      .filter((one) => view.decision && !view.outcome && !one.outcome && one.attempts > 0)
      .map((one) => one.participant);
    const rest = waiting.length > 0 ? `, waits for ${listed(waiting)}` : '';
    trace.say(`${name}: ${view.status}${rest}`);
  }
  const row = gate.store.rows.get(id);
  const neverKnown = gate.store.neverKnown.get(id);
  if (neverKnown) trace.say(`register: ${neverKnown.participant} is ${neverKnown.evidence.found}`);
  else if (!row) trace.say('register: nothing');
  if (row) {
    const to = row.decision === 'commit' ? ` for ${participantsOf(row.branches)}` : '';
    const by = row.decision === 'commit' ? `, finisher ${trace.name(row.finisher)}` : '';
    const end = row.endedAtMs === undefined ? ', not ended' : `, ended ${row.outcome}`;
    trace.say(`register: ${row.decision}${to}${row.decision === 'commit' ? by + end : ''}`);
    for (const { participant, evidence } of row.heuristics) {
      trace.say(`register: ${participant} is ${evidence.found}, should ${evidence.decision}`);
    }
  }
  for (const database of databases.values()) {
    const gid = story.gidAt(database, transaction);
    const state = gid ? database.state(gid) : 'nothing';
    database.say(`${state}, balance ${database.balance}`);
  }
  for (const { name, resolver } of participants) {
    const { forgotten } = resolver.report();
    if (forgotten.some((gid) => gid.includes(id))) {
      trace.say(`${name}: what became of ${transaction} is no longer known; an operator must look`);
    }
  }
}
