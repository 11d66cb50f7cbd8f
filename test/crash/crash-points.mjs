/**
 * Crash points: loaded into a real service with `node --import`, this wraps the edges of the ports
 * through which the engine forces, sends and acknowledges, so a process can be made to die exactly
 * between two effects. It is test code from outside: nothing of it is in the services' builds.
 *
 * CRASH_POINTS is a list such as `decide.post=kill;commit.post@ledger-east=stop`: a point, optionally
 * the participant it must concern, optionally `#n` for its n-th time only, and an action:
 *   kill   SIGKILL to itself        stop   SIGSTOP to itself (the test continues it)
 *   throw  an error at that edge    hang   never goes on from there
 *   drop   the effect is done and its process goes on, but the reply never reaches the asker
 * CRASH_FILE names a file that holds such a list as well, behind the number of the arming and a colon. It is
 * read at every point, so that a living process can be armed and disarmed. What CRASH_POINTS armed is arming 0,
 * and holds until the file has another number.
 * Each hit writes one line `crash point <name> of arming <number>` to standard error before it acts, and each
 * reply that was dropped one line `dropped the reply of <name> of arming <number>`. A name that is no crash
 * point of the process, or a drop where there is no reply, ends it at its start: a test must not wait for what
 * cannot happen.
 */
import { Buffer } from 'node:buffer';
import { readFileSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { parseTerms } from './crash-terms.mjs';

/** As long as a participant waits for the answer to an inquiry. */
const INQUIRY_MS = 3_000;

const side = process.env['CRASH_SIDE'];
const file = process.env['CRASH_FILE'];
const atStart = parseTerms(process.env['CRASH_POINTS'] ?? '', side);
let armed = atStart;
let arming = '0';
let lastRead = '0:';

/** What the file says by now: `<number of the arming>:<points>`. */
function readAgain() {
  if (file === undefined) return;
  const text = readFileSync(file, 'utf8');
  if (text === lastRead) return;
  lastRead = text;
  const at = text.indexOf(':');
  arming = text.slice(0, at);
  armed = parseTerms(text.slice(at + 1), side);
}

/** Acts at a point. True: its reply must be dropped. */
async function reach(point, participant) {
  readAgain();
  for (const term of armed) {
    if (term.point !== point) continue;
    if (term.participant && term.participant !== participant) continue;
    term.seen += 1;
    if (term.nth !== undefined && term.seen !== term.nth) continue;
    writeSync(2, `crash point ${named(point, participant)} of arming ${arming}\n`);
    switch (term.action) {
      case 'kill':
        process.kill(process.pid, 'SIGKILL');
        return new Promise(() => {});
      case 'stop':
        process.kill(process.pid, 'SIGSTOP');
        return false;
      case 'throw':
        throw new Error(`crash point ${point}`);
      case 'hang':
        return new Promise(() => {});
      case 'drop':
        return true;
    }
  }
  return false;
}

const named = (point, participant) => `${point}${participant ? `@${participant}` : ''}`;
const dropped = (point, participant) =>
  writeSync(2, `dropped the reply of ${named(point, participant)} of arming ${arming}\n`);

/** Wraps a port's method with a point before its effect and one after it. */
function wrap(type, method, name, { participantOf, lose }) {
  const original = type.prototype[method];
  if (typeof original !== 'function') throw new Error(`${type.name} has no ${method}`);
  type.prototype[method] = async function (...args) {
    const participant = participantOf?.(...args);
    const point = typeof name === 'function' ? name(...args) : name;
    const startedAt = performance.now();
    await reach(`${point}.pre`, participant);
    const result = await original.apply(this, args);
    if (await reach(`${point}.post`, participant)) {
      return lose({ args, result, participant, startedAt, point: `${point}.post` });
    }
    return result;
  };
}

/** The register's answer is lost with its connection: what became of the call is unknown. */
function unknownOf(RegisterUnknown) {
  return ({ point, participant }) => {
    dropped(point, participant);
    throw new RegisterUnknown('the connection was lost before the answer came');
  };
}

/** A message came back and was lost: the asker learns nothing until its time is over. */
function silenceOf(timeLeftOf) {
  return async ({ args, startedAt, point, participant }) => {
    dropped(point, participant);
    await pause(Math.max(0, timeLeftOf(...args) - (performance.now() - startedAt)));
    return { kind: 'no-answer', why: 'the reply was lost' };
  };
}

async function armCoordinator() {
  const { RegisterUnknown } = await import('@concordat/engine');
  const { PostgresDecisionRegister } = await import('@concordat/decision-log');
  const { NatsParticipantChannel } = await import('@concordat/channel');
  const register = { lose: unknownOf(RegisterUnknown) };
  const channel = {
    participantOf: (request) => request.to.participant,
    lose: silenceOf((request) => request.timeLeftMs),
  };
  const byProposal = ({ proposed }) => (proposed === 'commit' ? 'decide' : 'presume');
  wrap(PostgresDecisionRegister, 'decide', byProposal, register);
  wrap(PostgresDecisionRegister, 'claimUnfinished', 'claim', register);
  wrap(PostgresDecisionRegister, 'writeEnded', 'end', register);
  wrap(NatsParticipantChannel, 'prepare', 'prepare', channel);
  wrap(NatsParticipantChannel, 'finish', (request) => request.decision, channel);
}

/** Answers about these branches do not leave: the message is made, and lost. */
const unsent = new Map();

function losePublished(type) {
  const publish = type.prototype.publish;
  type.prototype.publish = function (subject, payload, ...rest) {
    if (unsent.size > 0 && subject.includes('.reply.')) {
      const { transaction, branch } = JSON.parse(Buffer.from(payload).toString());
      const key = `${transaction}:${branch}`;
      const lost = unsent.get(key);
      if (lost) {
        unsent.delete(key);
        dropped(lost.point, lost.participant);
        return undefined;
      }
    }
    return publish.call(this, subject, payload, ...rest);
  };
}

async function armParticipant() {
  const { PostgresResource } = await import('@concordat/participant');
  const { ChannelConnection, NatsCoordinatorChannel } = await import('@concordat/channel');
  losePublished(ChannelConnection);
  const branch = {
    participantOf: (key) => key.participant,
    // What the database did is known here, and the participant goes on; its answer is lost.
    lose: ({ args, result, point, participant }) => {
      const [{ transaction, branch: number }] = args;
      unsent.set(`${transaction}:${number}`, { point, participant });
      return result;
    },
  };
  for (const step of ['begin', 'prepare', 'commit', 'abort']) {
    wrap(PostgresResource, step, step, branch);
  }
  wrap(PostgresResource, 'listPrepared', 'scan', {
    lose: ({ point, participant }) => {
      dropped(point, participant);
      throw new Error('the connection was lost before the answer came');
    },
  });
  wrap(NatsCoordinatorChannel, 'inquire', 'inquire', { lose: silenceOf(() => INQUIRY_MS) });
}

const isArmable = atStart.length > 0 || file !== undefined;
if (isArmable && side === 'coordinator') await armCoordinator();
if (isArmable && side === 'participant') await armParticipant();
