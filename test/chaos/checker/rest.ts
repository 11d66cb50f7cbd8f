/**
 * What must hold at rest: I5, I10, I11, that no process gave up by itself, and that the history is
 * whole. Guards "termination of every branch once its participant and one coordinator are up", and
 * that recovery never touches what is not its own.
 */
import { Away } from './away.js';
import type { Checker } from './verdict.js';

/** A branch may not be in doubt for longer while all that it needs is there. */
const DOUBT_MAX_MS = 60_000;

export const endsInTime: Checker = function* (facts) {
  const healed = facts.phaseAt('healed');
  const rest = facts.phaseAt('rest');
  const boundMs = facts.initial?.boundMs ?? 0;
  if (healed === undefined || rest === undefined) {
    yield 'the run never came to rest';
    return;
  }
  const between = facts.polls.filter(({ t }) => t >= healed && t <= rest);
  for (const { t, prepared, open } of between) {
    const own = prepared.filter(({ gid }) => facts.isOwn(gid)).map(({ gid }) => gid);
    if (t - healed <= boundMs || (own.length === 0 && open === 0)) continue;
    const what = own.length > 0 ? own.slice(0, 5).join(', ') : `${open} commits`;
    yield `${what} not ended ${Math.round(t - healed)} ms after healing (bound ${boundMs} ms)`;
    return;
  }
  const last = between.at(-1);
  if (!last) yield 'there was no look between healing and rest';
  else if (last.open > 0 || last.prepared.some(({ gid }) => facts.isOwn(gid))) {
    yield 'it was taken for rest while branches were prepared or commits open';
  }
};

export const nothingStaysPrepared: Checker = function* (facts) {
  for (const { gid, database } of facts.prepared) {
    if (facts.isOwn(gid)) yield `${gid} is still prepared in ${database} at the end`;
  }
  const away = new Away(facts);
  const reported = new Set<string>();
  for (const { prepared, wall, t } of facts.polls) {
    for (const { gid, preparedAtUs, database } of prepared) {
      const ageMs = wall - preparedAtUs / 1_000;
      if (ageMs <= DOUBT_MAX_MS || reported.has(gid) || !facts.isOwn(gid)) continue;
      const ableMs = away.ableMs(database, { from: t - ageMs, to: t });
      if (ableMs <= DOUBT_MAX_MS) continue;
      reported.add(gid);
      yield `${gid} has been in doubt for ${Math.round(ableMs / 1_000)} s in which nothing it needs was away`;
    }
  }
};

/** Foreign prepared transactions: the very same at the end, and never missing in between. */
export const foreignersStay: Checker = function* (facts) {
  for (const { gid, database, xid, t } of facts.plants) {
    const now = facts.prepared.find((one) => one.gid === gid);
    if (!now) yield `${gid}, planted in ${database}, is gone`;
    else if (now.database !== database || now.xid !== xid) {
      yield `${gid}, planted in ${database} as ${xid}, is another one now: ${now.database}, ${now.xid}`;
    }
    const missed = facts.polls.find(
      (poll) => poll.t > t && !poll.prepared.some((one) => one.gid === gid),
    );
    if (missed && now) yield `${gid}, planted in ${database}, was gone for a while`;
  }
};

/** A process that ends although it was not stopped: a bug of the product. */
export const nobodyGivesUp: Checker = function* (facts) {
  for (const { service, event, expected, words, incarnation } of facts.lives) {
    if (event !== 'ended' || expected) continue;
    yield `${service} ${incarnation ?? ''} ended by itself: ${(words ?? '').slice(-2_000)}`;
  }
};

/** A checker that is shown half of it must not say that all is well. */
export const historyIsWhole: Checker = function* (facts) {
  if (!facts.initial) yield 'it does not say how it began';
  if (facts.phaseAt('dumped') === undefined)
    yield 'it does not end: what the databases hold is missing';
  for (const one of facts.strayAnswers) yield `${one.attempt} was answered and never begun`;
  for (const [name, { answers }] of facts.attempts) {
    if (answers.length !== 1) yield `${name} has ${answers.length} answers, not one`;
  }
  for (const [transaction, { committed, tombstones }] of facts.fates) {
    for (const { branch, committedAtUs, participant } of [...committed, ...tombstones]) {
      if (committedAtUs !== null) continue;
      yield `${facts.gid(transaction, branch)}: ${participant} does not say when it committed`;
    }
  }
};
