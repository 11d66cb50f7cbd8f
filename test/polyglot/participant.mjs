/**
 * A participant without Concordat's library, written from docs/wire-protocol.md alone; numbers in
 * comments are sections of that page. What it does for its customers is in points.mjs. It leaves out
 * what the page lets it leave out: `work`, being called directly, and the `$SRV` listing.
 */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { checkOperation, OPERATIONS, POINTS, VoteNo } from './points.mjs';

const { NATS_URL, DATABASE_URL, PARTICIPANT_NAME: NAME } = process.env;
const randomId = (bytes) => randomBytes(bytes).toString('hex');
const INSTANCE = randomId(4); // 2: at random at each start
const IN_DOUBT_MAX = 8; // running and prepared together, below max_prepared_transactions
const VOTES_MAX = 1_000; // kept at once, to be said again
const RETRYABLE = { retryable: true };
const ME = { participant: NAME, instance: INSTANCE };

const log = (line) => console.log(`${NAME}/${INSTANCE} ${line}`);

// --- The branch in the database (7) ----------------------------------------------------------------

// Two pools, so that decisions are carried out while every prepare hangs on a lock.
const workers = pool(IN_DOUBT_MAX, {});
const finishers = pool(4, { query_timeout: 5_000, statement_timeout: 4_000 });

function pool(max, more) {
  const settings = { connectionString: DATABASE_URL, connectionTimeoutMillis: 2_000, max, ...more };
  // A connection that breaks fails its query, if it has one; without a listener it would end the process.
  const heard = (db) => db.on('error', () => undefined);
  return heard(new pg.Pool(settings).on('connect', heard));
}

const OUTCOMES = `
  CREATE TABLE IF NOT EXISTS concordat_branch (
    transaction text COLLATE "C" NOT NULL,
    branch smallint NOT NULL,
    participant text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('branch', 'tombstone')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT concordat_branch_pkey PRIMARY KEY (transaction, branch)
  );`;
const OUTCOME_ROW = `
  INSERT INTO concordat_branch (transaction, branch, participant, kind)
  SELECT $1, $2::smallint, $3, 'branch' WHERE pg_current_xact_id_if_assigned() IS NOT NULL`;
const TOMBSTONE = `
  INSERT INTO concordat_branch (transaction, branch, participant, kind)
  VALUES ($1, $2, $3, 'tombstone') ON CONFLICT (transaction, branch) DO NOTHING`;

/** Of checked ids only: it goes into SQL as text. */
const gidOf = ({ transaction, branch }) => `cc:${cluster}:${transaction}:${branch}`;

/** The branches this instance runs now, by gid. */
const running = new Map();

async function prepare(command, receivedAt) {
  const timeLeft = () => {
    const left = Math.floor(receivedAt + command.timeLeftMs - performance.now());
    if (left < 1) throw new VoteNo('DEADLINE_PASSED', 'no time was left to prepare', RETRYABLE);
    return left;
  };
  try {
    if (!command.operations) throw new VoteNo('BRANCH_LOST', 'no branch is open here', RETRYABLE);
    command.operations.forEach(checkOperation);
    const inDoubt = (await preparedBranches()).length + running.size;
    if (inDoubt > IN_DOUBT_MAX) throw new VoteNo('IN_DOUBT_LIMIT', 'too many branches', RETRYABLE);
    const db = await workers.connect();
    let broken = false;
    try {
      return await runBranch(db, command, timeLeft);
    } catch (error) {
      // The branch is over before its no is sent; a connection in doubt is not used again.
      await db.query({ text: 'ROLLBACK', query_timeout: 2_000 }).catch(() => (broken = true));
      throw error;
    } finally {
      db.release(broken);
    }
  } catch (error) {
    return { vote: voteOf(error), outputs: [] };
  }
}

async function runBranch(db, command, timeLeft) {
  const ms = timeLeft();
  await db.query(`BEGIN; SET LOCAL lock_timeout = ${ms}; SET LOCAL statement_timeout = ${ms}`);
  const outputs = [];
  for (const { name, input } of command.operations) outputs.push(await OPERATIONS[name](db, input));
  const ids = [command.transaction, command.branch, NAME];
  const row = await db.query(OUTCOME_ROW, ids).catch(refusing(AT_OUTCOME_ROW));
  if (row.rowCount === 0) {
    const { command: tag } = await db.query('COMMIT');
    if (tag !== 'COMMIT') throw new VoteNo('ROLLED_BACK', 'an earlier statement had failed');
    return { vote: { kind: 'read-only' }, outputs };
  }
  const text = `PREPARE TRANSACTION '${gidOf(command)}'`;
  const query_timeout = timeLeft() + 1_000;
  // The driver gives the tag's first word. After a swallowed error it is ROLLBACK, without an error.
  const { command: tag } = await db.query({ text, query_timeout }).catch(refusing(AT_PREPARE));
  if (tag !== 'PREPARE') throw new VoteNo('ROLLED_BACK', 'an earlier statement had failed');
  return { vote: { kind: 'prepared' }, outputs };
}

const AT_OUTCOME_ROW = {
  23505: ['ALREADY_FINISHED'], // a tombstone or an earlier run is there
  '55P03': ['ALREADY_FINISHED'], // another instance has it prepared, or is at it
  57014: ['ALREADY_FINISHED'], // the same: this time-out began earlier, so it ends earlier
};
const AT_PREPARE = {
  53200: ['PREPARED_SLOTS_EXHAUSTED', RETRYABLE],
  55000: ['NOT_PREPARABLE'],
  '0A000': ['NOT_PREPARABLE'],
  42710: ['ALREADY_FINISHED'],
};
const ANYWHERE = {
  40001: ['SERIALIZATION_FAILURE', RETRYABLE],
  '40P01': ['DEADLOCK', RETRYABLE],
  '55P03': ['LOCK_TIMEOUT', RETRYABLE],
  57014: ['DEADLINE_PASSED', RETRYABLE],
  '25P02': ['ROLLED_BACK'], // an operation swallowed an error
};

const BY_CLASS = { 22: 'DATA_EXCEPTION', 23: 'CONSTRAINT_VIOLATED', P0: 'RAISED_BY_DATABASE' };

const refusing = (votes) => (error) => {
  const [code, more] = votes[error.code] ?? [];
  throw code ? new VoteNo(code, saidBy(error), more) : error;
};

// The server's own words can quote data: they are for a log.
const saidBy = ({ code }) =>
  code ? `the database refused it (SQLSTATE ${code})` : 'no answer came';

function voteOf(error) {
  if (error instanceof VoteNo) return error.vote;
  const { code, severity } = error;
  // No answer, or FATAL: it may even be prepared, now or in a moment. Recovery keeps asking about it.
  const away = severity !== 'ERROR' || /^(53|25006)/.test(code);
  if (away) return new VoteNo('RESOURCE_UNAVAILABLE', saidBy(error), RETRYABLE).vote;
  const [name, more] = ANYWHERE[code] ?? [BY_CLASS[code.slice(0, 2)] ?? 'HANDLER_FAILED'];
  return new VoteNo(name, saidBy(error), { ...more, details: { sqlstate: code } }).vote;
}

async function commit(branch) {
  try {
    await finishers.query(`COMMIT PREPARED '${gidOf(branch)}'`);
    return { outcome: { kind: 'committed' } };
  } catch (error) {
    if (error.code !== '42704') return { notYet: error.message };
  }
  // Postgres forgets finished gids: only the outcome row distinguishes a repeated commit from a lost branch.
  const { standby, kind } = await readRow(finishers, branch);
  if (standby) return { notYet: 'this is a standby' };
  if (kind === 'branch') return { outcome: { kind: 'committed' } };
  if (kind === 'tombstone') return heuristic('commit', 'rolled-back', 'An abort was carried out.');
  return heuristic('commit', 'missing', 'Neither a prepared transaction nor an outcome row.');
}

async function abort(branch) {
  try {
    await finishers.query(`ROLLBACK PREPARED '${gidOf(branch)}'`);
  } catch (error) {
    if (error.code !== '42704') return { notYet: error.message };
  }
  const db = await finishers.connect();
  let failed = false;
  try {
    await db.query('BEGIN; SET LOCAL lock_timeout = 250');
    const { rowCount } = await db.query(TOMBSTONE, [branch.transaction, branch.branch, NAME]);
    const kind = rowCount === 1 ? 'tombstone' : (await readRow(db, branch)).kind;
    await db.query('COMMIT');
    if (kind === 'tombstone') return { outcome: { kind: 'aborted' } };
    return heuristic('abort', 'committed', 'The branch had committed before this abort.');
  } catch (error) {
    failed = true;
    return { notYet: error.message };
  } finally {
    db.release(failed);
  }
}

async function readRow(db, { transaction, branch }) {
  const text = `SELECT pg_is_in_recovery() AS standby,
    (SELECT kind FROM concordat_branch WHERE transaction = $1 AND branch = $2) AS kind`;
  return (await db.query(text, [transaction, branch])).rows[0];
}

function heuristic(decision, found, explanation) {
  return { outcome: { kind: 'heuristic', evidence: { decision, found, explanation } } };
}

// --- Recovery (8) ----------------------------------------------------------------------------------

async function preparedBranches(olderThanMs = 0) {
  const { rows } = await finishers.query(
    `SELECT gid, split_part(gid, ':', 3) AS transaction, split_part(gid, ':', 4) AS branch
       FROM pg_prepared_xacts
      WHERE database = current_database() AND gid ~ $1 AND NOT pg_is_in_recovery()
        AND prepared <= clock_timestamp() - $2 * interval '1 millisecond'`,
    [`^cc:${cluster}:[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}:[1-9][0-9]{0,3}$`, olderThanMs],
  );
  return rows.filter(({ gid }) => !running.has(gid));
}

function recover(graceMs) {
  preparedBranches(graceMs)
    .then((branches) => Promise.all(branches.map(askAndFinish)))
    .then(() => Promise.all([...unreported.keys()].map(report)))
    .catch((error) => log(`recovery failed and is tried again: ${error.message}`));
}

async function standingOf({ gid, transaction, branch }) {
  const answer = await ask('inquire', { transaction, branch });
  const about = answer?.type === 'standing' && answer.transaction === transaction;
  const { kind, decision } = about ? answer.standing : { kind: answer?.code ?? 'no answer' };
  log(`${gid} inquired: ${decision ?? kind}`);
  // Undecided, forgotten, refused, no answer: the branch is kept. A participant never decides alone.
  return kind === 'decided' ? decision : undefined;
}

async function askAndFinish({ gid, transaction, branch }) {
  const one = { gid, transaction, branch };
  const finish = { commit, abort }[await standingOf(one)];
  if (!finish) return;
  const finished = await finish(one);
  log(`${gid} asked and finished: ${JSON.stringify(finished)}`);
  const { evidence } = finished.outcome ?? {};
  if (evidence) unreported.set(gid, { ...one, evidence });
}

/** Heuristic outcomes met here that no coordinator has recorded yet, by gid. */
const unreported = new Map();

async function report(gid) {
  const one = unreported.get(gid);
  // No decision was on record that could be contradicted: asking records an abort for this branch.
  if (one.code === 'unknown-transaction' && !(await standingOf(one))) return;
  const { transaction, branch, evidence } = one;
  const answer = await ask('report-heuristic', { transaction, branch, evidence });
  one.code = answer?.code;
  const isRecorded = answer?.type === 'recorded' && answer.transaction === transaction;
  if (isRecorded) unreported.delete(gid);
  log(`${gid} reported: ${isRecorded ? 'recorded' : (one.code ?? 'no answer')}`);
}

// --- The wire (3 to 6) -----------------------------------------------------------------------------

const matches = (pattern) => (value) => typeof value === 'string' && pattern.test(value);
const listOf = (least, most, test) => (value) =>
  Array.isArray(value) && value.length >= least && value.length <= most && value.every(test);
const id = matches(/^[a-z0-9]{8}$/);
const participant = matches(/^[a-z][a-z0-9-]{0,31}$/);
const FORMS = {
  ...{ cluster: id, instance: id, epoch: id, participant },
  transaction: matches(/^[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}$/),
  branch: matches(/^[1-9][0-9]{0,3}$/),
  token: matches(/^[a-z0-9]{8,32}$/),
  timeLeftMs: (value) => Number.isInteger(value) && value >= 1 && value <= 86_400_000,
  participants: listOf(1, 64, participant),
  operations: listOf(0, 1_000, (one) => matches(/^.{1,128}$/s)(one?.name) && 'input' in one),
};
const OPTIONAL = ['instance', 'operations'];
const OF_BRANCH = ['cluster', 'transaction', 'branch', 'participant', 'epoch', 'timeLeftMs'];
const COMMANDS = {
  prepare: [...OF_BRANCH, 'participants'],
  commit: OF_BRANCH,
  abort: OF_BRANCH,
  inspect: ['cluster', 'participant', 'epoch'],
};

class Refused extends Error {
  constructor(code, reason, field) {
    super(reason);
    this.answer = { type: 'refused', code, reason, field };
  }
}

function depthOf(value) {
  if (typeof value !== 'object' || value === null) return 0;
  if (Object.hasOwn(value, '__proto__')) return Infinity;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Nothing where it is no JSON, as the empty body of the broker's 503: no process received the question. */
function bodyOf(wire) {
  try {
    return JSON.parse(wire.string()) ?? undefined;
  } catch {
    return undefined;
  }
}

function read(wire, type, fields) {
  const malformed = (reason, field) => new Refused('malformed-message', reason, field);
  const message = bodyOf(wire);
  if (typeof message !== 'object' || Array.isArray(message)) throw malformed('no JSON object');
  if (message.v !== 1) throw new Refused('unsupported-version', 'send v: 1', 'v');
  if (message.type !== type) throw malformed(`type must be ${type} on this subject`, 'type');
  if (depthOf(message) > 24) throw malformed('nested too deeply, or a key __proto__');
  for (const field of [...fields, ...OPTIONAL.filter((name) => message[name] !== undefined)]) {
    if (!FORMS[field](message[field])) throw malformed(`${field} is missing or malformed`, field);
  }
  for (const [field, own] of Object.entries({ cluster, ...ME })) {
    if ((message[field] ?? own) !== own) throw new Refused(`wrong-${field}`, `this is ${own}`);
  }
  return message;
}

/** 5: asked before anything is run or answered. */
const mayAnswerTo = (subject = '') =>
  subject.startsWith(`${prefix}.reply.coord.${NAME}.`) && /^[^*>\s]+[^*>\s.]$/.test(subject);

/** 1: what could not be sent is not kept for later; the asker asks again, except for votes. */
function publish(subject, message, reply) {
  if (connected) nats.publish(subject, JSON.stringify({ v: 1, ...message }), { reply });
}

/** 1: votes that may not have been received, by gid. They are never asked for again. */
const votes = new Map();

function voteAgain() {
  for (const [gid, { subject, vote, until }] of votes) {
    if (until > performance.now()) publish(subject, vote);
    else votes.delete(gid);
  }
}

function keepVote(gid, kept) {
  votes.set(gid, kept);
  if (votes.size > VOTES_MAX) votes.delete(votes.keys().next().value);
}

async function onCommand(type, wire) {
  const receivedAt = performance.now();
  if (!mayAnswerTo(wire.reply)) return log(`dropped ${type}: its answer would go to ${wire.reply}`);
  try {
    const command = read(wire, type, COMMANDS[type]);
    const answer = await answerTo(command, receivedAt);
    const until = receivedAt + command.timeLeftMs;
    if (type === 'prepare') keepVote(gidOf(command), { subject: wire.reply, vote: answer, until });
    publish(wire.reply, answer);
  } catch (error) {
    log(`refused ${type}: ${error.message}`);
    publish(wire.reply, error.answer ?? new Refused('internal-error', 'the log says why').answer);
  }
}

async function answerTo(command, receivedAt) {
  const { type, transaction, branch } = command;
  if (type === 'inspect') return inspected();
  const about = { transaction, branch, ...ME };
  if (type === 'prepare') {
    const gid = gidOf(command);
    if (running.has(gid)) throw new Refused('duplicate', 'this branch is running here');
    running.set(gid, prepare(command, receivedAt));
    const { vote, outputs } = await running.get(gid).finally(() => running.delete(gid));
    return { type: 'vote', ...about, vote, outputs };
  }
  votes.delete(gidOf(command)); // Its coordinator is in the second round.
  const finish = type === 'commit' ? commit : abort;
  const { outcome, notYet } = await finish(command).catch((error) => ({ notYet: error.message }));
  if (outcome) return { type: 'acknowledged', ...about, outcome };
  return { type: 'not-yet', ...about, reason: notYet.slice(0, 2_000) };
}

async function inspected() {
  const inDoubt = (await preparedBranches()).length;
  const figures = { working: running.size, inDoubt, inDoubtMax: IN_DOUBT_MAX };
  return { type: 'inspected', ...ME, version: '1.0.0', report: figures };
}

/** 6: comes without a reply subject; ours is built of checked parts. */
async function onInspectAll(wire) {
  try {
    const { epoch, token } = read(wire, 'inspect-all', ['cluster', 'epoch', 'token']);
    publish(`${prefix}.reply.coord.${NAME}.${epoch}.${token}`, await inspected());
  } catch (error) {
    log(`dropped inspect-all: ${error.message}`);
  }
}

/** 4: one question to any coordinator, below the own name: the first answer, or nothing. */
async function ask(type, question) {
  const reply = `${prefix}.reply.p.${NAME}.${INSTANCE}.${randomId(8)}`;
  const answered = new Promise((resolve) => waiting.set(reply, resolve));
  const message = { type, cluster, participant: NAME, ...question };
  publish(`${prefix}.coord.p.${NAME}.any.${type}`, message, reply);
  return Promise.race([answered, pause(3_000)]).finally(() => waiting.delete(reply));
}
const waiting = new Map();

/** 3: which cluster is this? Asked until somebody answers. */
async function discover() {
  const reply = `concordat.discover.reply.${randomId(8)}`;
  const found = new Set();
  const callback = (_, wire) => found.add(bodyOf(wire)?.cluster);
  const answers = nats.subscribe(reply, { callback });
  while (![...found].some(id)) {
    publish('concordat.discover.v1', { type: 'discover' }, reply);
    await pause(250);
  }
  answers.unsubscribe();
  const clusters = [...found].filter(id);
  if (clusters.length > 1) throw new Error(`several clusters are here: ${clusters.join(', ')}`);
  return clusters[0];
}

// --- Start and end ---------------------------------------------------------------------------------

const again = { maxReconnectAttempts: -1, waitOnFirstConnect: true, reconnectTimeWait: 250 };
const nats = await connect({ servers: NATS_URL, name: NAME, pingInterval: 5_000, ...again });
let connected = true;
const cluster = await discover();
const prefix = `concordat.${cluster}.v1`;
await finishers.query(POINTS + OUTCOMES);

const listen = (subject, callback, queue) =>
  nats.subscribe(`${prefix}.${subject}`, { queue, callback: (_, wire) => void callback(wire) });
const prepares = [];
for (const type of Object.keys(COMMANDS)) {
  const hear = (wire) => onCommand(type, wire);
  const ofAny = listen(`cmd.${NAME}.${type}`, hear, NAME);
  const ofThis = listen(`cmd.${NAME}.${INSTANCE}.${type}`, hear);
  if (type === 'prepare') prepares.push(ofAny, ofThis);
}
listen('inspect', onInspectAll);
listen('event.coordinator-up', () => recover(0));
listen(`reply.p.${NAME}.${INSTANCE}.*`, (wire) => waiting.get(wire.subject)?.(bodyOf(wire)));
await nats.flush();
log('is ready');
recover(0);
const rounds = setInterval(() => recover(2_000), 2_000);

/** 14: no new branch; what runs is answered, and what is prepared stays. */
async function end() {
  clearInterval(rounds);
  for (const subscription of prepares) subscription.unsubscribe();
  await Promise.all(running.values());
  await nats.drain();
  await Promise.all([workers.end(), finishers.end()]);
}
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void end());

for await (const { type } of nats.status()) {
  if (type === 'disconnect') connected = false;
  if (type === 'reconnect') connected = true;
  if (type === 'reconnect') voteAgain();
  if (type === 'reconnect') recover(0);
}
