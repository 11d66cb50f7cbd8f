/**
 * Crash points: loaded into a real service with `node --import`, this wraps the edges of the ports
 * through which the engine forces, sends and acknowledges, so a process can be made to die exactly
 * between two effects. It is test code from outside: nothing of it is in the services' builds.
 *
 * CRASH_POINTS is a list such as `decide.post=kill;finish.post@ledger-east=stop`: a point, optionally
 * the participant it must concern, optionally `#n` for its n-th time only, and an action:
 *   kill   SIGKILL to itself        stop   SIGSTOP to itself (the test continues it)
 *   throw  an error at that edge    hang   never goes on from there (the answer is dropped)
 * Each hit writes one line `crash point <name>` to standard error before it acts.
 */
import { writeSync } from 'node:fs';

const armed = parse(process.env['CRASH_POINTS'] ?? '');

function parse(text) {
  return text
    .split(';')
    .filter(Boolean)
    .map((term) => {
      const match = /^([a-z-]+\.[a-z-]+)(?:@([a-z0-9-]+))?(?:#(\d+))?=(kill|stop|throw|hang)$/.exec(
        term,
      );
      if (!match) throw new Error(`not a crash point: ${term}`);
      const [, point, participant, nth, action] = match;
      return { point, participant, nth: nth ? Number(nth) : undefined, action, seen: 0 };
    });
}

async function reach(point, participant) {
  for (const term of armed) {
    if (term.point !== point) continue;
    if (term.participant && term.participant !== participant) continue;
    term.seen += 1;
    if (term.nth !== undefined && term.seen !== term.nth) continue;
    writeSync(2, `crash point ${point}${participant ? `@${participant}` : ''}\n`);
    switch (term.action) {
      case 'kill':
        process.kill(process.pid, 'SIGKILL');
        return new Promise(() => {});
      case 'stop':
        process.kill(process.pid, 'SIGSTOP');
        return;
      case 'throw':
        throw new Error(`crash point ${point}`);
      case 'hang':
        return new Promise(() => {});
    }
  }
}

/** Wraps a port's method with a point before its effect and one after it. */
function wrap(type, method, name, participantOf) {
  const original = type.prototype[method];
  if (typeof original !== 'function') throw new Error(`${type.name} has no ${method}`);
  type.prototype[method] = async function (...args) {
    const participant = participantOf?.(...args);
    const point = typeof name === 'function' ? name(...args) : name;
    await reach(`${point}.pre`, participant);
    const result = await original.apply(this, args);
    await reach(`${point}.post`, participant);
    return result;
  };
}

if (armed.length > 0 && process.env['CRASH_SIDE'] === 'coordinator') {
  const { PostgresDecisionRegister } = await import('@concordat/decision-log');
  const { NatsParticipantChannel } = await import('@concordat/channel');
  wrap(PostgresDecisionRegister, 'decide', (proposal) =>
    proposal.proposed === 'commit' ? 'decide' : 'presume',
  );
  wrap(PostgresDecisionRegister, 'claimUnfinished', 'claim');
  wrap(NatsParticipantChannel, 'prepare', 'prepare', (request) => request.to.participant);
  wrap(
    NatsParticipantChannel,
    'finish',
    (request) => request.decision,
    (request) => request.to.participant,
  );
}

if (armed.length > 0 && process.env['CRASH_SIDE'] === 'participant') {
  const { PostgresResource } = await import('@concordat/participant');
  const named = (branch) => branch.participant;
  wrap(PostgresResource, 'begin', 'begin', named);
  wrap(PostgresResource, 'prepare', 'prepare', named);
  wrap(PostgresResource, 'commit', 'commit', named);
  wrap(PostgresResource, 'abort', 'abort', named);
}
