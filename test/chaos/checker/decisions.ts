/**
 * What must hold of decisions, outcome rows and tombstones: I1, I2, I9, I13, I14, I17 and §6 on
 * heuristics. Guards "one decision per transaction, and every participant makes the same of it",
 * with any answers to clients.
 */
import type { Facts, Fate } from './facts.js';
import { placeOf } from './history.js';
import type { Checker } from './verdict.js';

/** A statement that left a coordinator before it died may still be carried out; not this much later. */
const LAST_WORDS_MS = 5_000;

/** Participants at which a transaction's fate is not what the decision says, without an excuse. */
export function torn(facts: Facts, transaction: string, fate: Fate): string[] {
  const decision = facts.decision(transaction);
  const complaints: string[] = [];
  for (const row of fate.committed) {
    const gid = facts.gid(transaction, row.branch);
    if (decision?.decision === 'commit' || facts.isExplained(gid, 'commit')) continue;
    complaints.push(`${gid} is committed at ${row.participant}`);
  }
  if (decision?.decision !== 'commit') return complaints;
  for (const { branch, participant } of decision.branches) {
    const gid = facts.gid(transaction, branch);
    const isThere = fate.committed.some(
      (row) => row.branch === branch && row.participant === participant,
    );
    if (isThere || facts.isExplained(gid, 'rollback')) continue;
    complaints.push(`${gid} is not committed at ${participant}`);
  }
  return complaints;
}

/** |M| is 0 or |R|; a split passes only if a person made it and it was reported. */
export const participantsAgree: Checker = function* (facts) {
  for (const [transaction, fate] of facts.fates) {
    const stands = facts.decision(transaction)?.decision ?? 'nothing';
    for (const one of torn(facts, transaction, fate)) yield `${one}, but ${stands} is on record`;
  }
  for (const act of facts.dbaActs.values()) {
    if (facts.heuristics.has(act.gid)) continue;
    yield `${act.gid} was finished manually (${act.act}) and never reported as heuristic`;
  }
};

export const decidedOnce: Checker = function* (facts) {
  for (const [transaction, { decisions }] of facts.fates) {
    if (decisions.length < 2) continue;
    const all = decisions.map((one) => one.decision).sort();
    yield `${facts.gid(transaction, '*')} has ${decisions.length} decisions: ${all.join(', ')}`;
  }
  for (const [transaction, { decisions }] of facts.fates) {
    if (placeOf(transaction) === undefined) continue;
    const there = facts.decision(transaction)?.decision ?? 'nothing';
    for (const { decision } of decisions.filter((one) => one.decision !== there)) {
      yield `${facts.gid(transaction, '*')} is decided ${there} at its participant and copied as ${decision}`;
    }
  }
  for (const [transaction, seen] of sightings(facts)) {
    const all = new Set([...seen, ...facts.fate(transaction).decisions.map((d) => d.decision)]);
    if (all.size < 2) continue;
    yield `${facts.gid(transaction, '*')} was seen decided ${[...all].sort().join(' and ')}`;
  }
};

/** A client that knows nothing may be surprised, but not by half of it. */
export const unknownIsWhole: Checker = function* (facts) {
  const labels = new Set<string>();
  const unknown = new Set<string>();
  for (const { invoke, answers } of facts.attempts.values()) {
    for (const answer of answers.filter((one) => one.type === 'info')) {
      if (answer.transaction !== undefined) unknown.add(answer.transaction);
      if (invoke.label !== undefined) labels.add(invoke.label);
    }
  }
  for (const [transaction, fate] of facts.fates) {
    const label = facts.labelOf(transaction);
    if (!unknown.has(transaction) && !(label !== undefined && labels.has(label))) continue;
    for (const one of torn(facts, transaction, fate)) {
      yield `${one}: its client knows nothing of it, and it is neither in all nor in none`;
    }
  }
};

export const tombstonesHold: Checker = function* (facts) {
  for (const [transaction, { committed, tombstones }] of facts.fates) {
    for (const tombstone of tombstones) {
      const gid = facts.gid(transaction, tombstone.branch);
      if (facts.decision(transaction)?.decision === 'commit') {
        yield `${gid} has a tombstone at ${tombstone.participant}, but commit is on record`;
      }
      if (committed.some((row) => row.branch === tombstone.branch)) {
        yield `${gid} has a tombstone and is committed all the same`;
      }
    }
  }
  for (const { gid, preparedAtUs } of everPrepared(facts)) {
    const [transaction = '', branch = ''] = gid.split(':').slice(2);
    const tombstone = facts.fate(transaction).tombstones.find((row) => row.branch === branch);
    // By its commit: a tombstone that waits for a running branch was created before it is visible.
    const lateUs = tombstone ? preparedAtUs - (tombstone.committedAtUs ?? preparedAtUs) : 0;
    if (lateUs > 0) yield `${gid} was prepared ${lateUs} µs after its tombstone was there`;
  }
};

/** The first durable decision is final; an incarnation that was killed adds no commit. */
export const supersededIsSilent: Checker = function* (facts) {
  for (const [transaction, [first]] of sightings(facts)) {
    const now = facts.decision(transaction)?.decision;
    if (now !== undefined && now !== first) {
      yield `${facts.gid(transaction, '*')} was first decided ${first}, at the end ${now} is on record`;
    }
  }
  const diedAt = new Map(
    facts.lives
      .filter((one) => one.event === 'ended' && one.incarnation !== undefined)
      .map((one) => [one.incarnation, one.wall] as const),
  );
  for (const [transaction, { decisions }] of facts.fates) {
    // In one phase its participant commits it, and a process that asks copies that.
    const wall = placeOf(transaction) ? undefined : diedAt.get(transaction.slice(27));
    if (wall === undefined) continue;
    for (const { decision, decidedAtUs } of decisions) {
      const lateMs = decidedAtUs / 1_000 - wall;
      if (decision !== 'commit' || lateMs <= LAST_WORDS_MS) continue;
      yield `${facts.gid(transaction, '*')} was committed ${Math.round(lateMs)} ms after its owner died`;
    }
  }
};

/** At rest no commit is open, none was noted as ended early, and nothing was forgotten. */
export const openIsInFlight: Checker = function* (facts) {
  for (const [transaction, { decisions, committed }] of facts.fates) {
    for (const { decision, endedAtUs } of decisions) {
      if (endedAtUs === null) {
        yield `${facts.gid(transaction, '*')} is not noted as ended though everything is at rest`;
        continue;
      }
      // In one phase a row is dated by its last confirmation.
      if (decision !== 'commit' || placeOf(transaction) !== undefined) continue;
      const early = committed.filter((row) => (row.committedAtUs ?? 0) > endedAtUs);
      for (const { branch, participant } of early) {
        yield `${facts.gid(transaction, branch)} committed at ${participant} after the end was noted`;
      }
    }
  }
  for (const [transaction, seen] of sightings(facts)) {
    if (facts.fate(transaction).decisions.length > 0) continue;
    yield `${facts.gid(transaction, '*')} was seen decided ${seen[0]} and is forgotten at the end`;
  }
};

/** Protocol §6: heuristic is what a person did. No person did anything else here. */
export const heuristicsAreExplained: Checker = function* (facts) {
  for (const [gid, row] of facts.heuristics) {
    if (facts.dbaActs.has(gid)) continue;
    yield `${gid} is reported heuristic (${row.found}) at ${row.participant}, and there was no manual change`;
  }
};

/** What polls saw of each decision, in their order, repeats left out. */
function sightings(facts: Facts): Map<string, string[]> {
  const seen = new Map<string, string[]>();
  for (const { decisions } of facts.polls) {
    for (const { transaction, decision } of decisions) {
      const before = seen.get(transaction);
      if (!before) seen.set(transaction, [decision]);
      else if (before.at(-1) !== decision) before.push(decision);
    }
  }
  return seen;
}

function everPrepared(facts: Facts): { gid: string; preparedAtUs: number }[] {
  const all = new Map<string, { gid: string; preparedAtUs: number }>();
  const seen = [...facts.polls.flatMap((one) => one.prepared), ...facts.prepared];
  for (const one of seen.filter(({ gid }) => facts.isOwn(gid)))
    all.set(`${one.gid} ${one.preparedAtUs}`, one);
  return [...all.values()];
}
