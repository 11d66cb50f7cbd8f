/**
 * What happens to processes, to the register and to databases, and what operators and DBAs do about
 * it or without the product.
 */
import { Refusal } from '@concordat/engine';
import { decidedAt } from '@concordat/protocol';
import type { Command } from './command.js';
import { STATEMENTS, type Statement } from './gated-database.js';
import type { Limits } from '../simulation/nodes.js';
import type { Story } from './story.js';
import type { Verb } from './verb.js';
import { decidedText, viewText } from './wording.js';

const DRAIN_MS = 10_000;

function limitsOf(command: Command): Partial<Limits> {
  const inDoubtMax = command.number('in-doubt-max');
  const sessionsMax = command.number('sessions-max');
  return {
    ...(inDoubtMax === undefined ? {} : { inDoubtMax }),
    ...(sessionsMax === undefined ? {} : { sessionsMax }),
  };
}

export const FAULT_VERBS: Readonly<Record<string, Verb>> = {
  start: {
    options: ['in-doubt-max', 'sessions-max'],
    run(story, command) {
      const name = command.word(0, 'a process');
      if (story.isCoordinator(name)) story.startCoordinator(name);
      else story.startParticipant(name, limitsOf(command));
    },
  },

  crash: { run: (story, command) => story.crash(command.word(0, 'a process')) },

  restart: {
    options: ['in-doubt-max', 'sessions-max'],
    run: (story, command) => story.restart(command.word(0, 'a process'), limitsOf(command)),
  },

  drain: {
    run(story, command) {
      const name = command.word(0, 'a process');
      const { manager, name: label } = story.isCoordinator(name)
        ? story.coordinator(name)
        : story.participant(name);
      const drained = () => story.trace.say(`${label} has drained`);
      manager.drain(DRAIN_MS).then(drained, (error: unknown) => story.failed(error));
    },
  },

  inquire: {
    run: (story, command) => story.participant(command.word(0, 'a participant')).resolver.nudge(),
  },

  /** Asks about branches that have not voted, as happens when no message of them came for a while. */
  'ask-after': {
    run(story, command) {
      void story.participant(command.word(0, 'a participant')).owners.pass(0);
    },
  },

  recover: {
    run(story, command) {
      void story.coordinator(command.word(0, 'a coordinator')).recoverer.pass();
    },
  },

  register: { run: (story, command) => register(story, command) },

  database: { run: (story, command) => database(story, command) },

  dba: {
    run(story, command) {
      const where = story.database(command.word(0, 'a participant'));
      const deed = command.word(1, '`commit`, `rollback`, `locks` or `lets-go`');
      if (deed === 'locks' || deed === 'lets-go') {
        if (deed === 'locks') where.lockByHand();
        else where.letGo();
        where.say(deed === 'locks' ? 'a DBA locks the row' : 'a DBA lets go of the row');
        return;
      }
      const transaction = command.word(2, 'a transaction');
      const gid = story.gidAt(where, transaction);
      if (!gid) throw new Error(`${where.name} holds nothing of ${transaction}`);
      if (deed === 'commit') where.commitByHand(gid);
      else if (deed === 'rollback') where.rollbackByHand(gid);
      else throw new Error(`a DBA does not ${deed}`);
      where.say(`a DBA types ${deed.toUpperCase()} PREPARED for ${transaction}`);
    },
  },

  backup: { run: (story, command) => story.database(command.word(0, 'a participant')).backUp() },

  restore: {
    run(story, command) {
      const where = story.database(command.word(0, 'a participant'));
      where.restoreBackup();
      where.say('the backup is restored');
    },
  },

  'look-for-lost': {
    run(story, command) {
      const at = story.coordinator(command.word(0, 'a coordinator'));
      at.lost.look(0).catch((error: unknown) => story.failed(error));
    },
  },

  operator: { options: ['at'], run: (story, command) => operator(story, command) },
};

function register(story: Story, command: Command): void {
  const { gate } = story;
  const what = command.word(0, 'what happens to it');
  switch (what) {
    case 'down':
    case 'up':
      gate.isDown = what === 'down';
      return;
    case 'hold':
      gate.holding.add(command.word(1, 'a coordinator'));
      return;
    case 'land':
    case 'lose': {
      const label = command.word(1, 'a coordinator');
      gate.holding.delete(label);
      if (gate.release(label, what) === 0) throw new Error(`no call of ${label} is held`);
      return;
    }
    case 'answer-lost': {
      const how = command.word(1, '`landed` or `not-landed`');
      if (how !== 'landed' && how !== 'not-landed') throw new Error(`${how} is no effect`);
      gate.nextAnswerLost = how;
      return;
    }
    case 'lose-claims':
      gate.store.claims.clear();
      gate.trace.say('register: claims of keys are lost');
      return;
    case 'forget': {
      const live = story.processes().coordinators.map((one) => one.manager.oldestLive());
      gate.forget(live.filter((one) => one !== undefined));
      return;
    }
    default:
      throw new Error(`the register does not know ${what}`);
  }
}

function database(story: Story, command: Command): void {
  const where = story.database(command.word(0, 'a participant'));
  const what = command.word(1, 'what happens to it');
  switch (what) {
    case 'down':
    case 'up':
      where.isDown = what === 'down';
      return;
    case 'hold':
      where.holding.add(statement(command, 2));
      return;
    case 'forget':
      where.forget();
      return;
    case 'land':
    case 'lose':
      if (where.release(what) === 0) throw new Error(`no statement is held at ${where.name}`);
      return;
    case 'answer-lost': {
      const landed = command.word(3, '`landed` or `not-landed`') === 'landed';
      where.nextAnswerLost = { statement: statement(command, 2), landed };
      return;
    }
    default:
      throw new Error(`a database does not know ${what}`);
  }
}

function statement(command: Command, at: number): Statement {
  const word = command.word(at, `one of ${STATEMENTS.join(', ')}`);
  const known = STATEMENTS.find((one) => one === word);
  if (!known) throw new Error(`${word} is none of ${STATEMENTS.join(', ')}`);
  return known;
}

/** As the coordinator's REST commands do it: at the owner, or through the register. */
async function operator(story: Story, command: Command): Promise<void> {
  const deed = command.word(0, '`abort` or `retry`');
  const name = command.word(1, 'a transaction');
  const id = story.id(name);
  const at = story.coordinator(command.option('at') ?? story.homeOf(name));
  const { trace } = story;
  try {
    if (deed === 'retry') {
      trace.say(`operator is answered: ${viewText(at.manager.retryNow(id), trace)}`);
    } else if (deed === 'abort' && at.manager.view(id)) {
      const wait = { until: 'decided', waitMs: 0 } as const;
      const view = await at.manager.rollback(id, 'an operator asked for an abort', wait);
      trace.say(`operator is answered: ${viewText(view, trace)}`);
    } else if (deed === 'abort' && decidedAt(id) !== undefined) {
      at.manager
        .inquire({ transaction: id, regardless: true })
        .then((one) => (one.kind === 'decided' ? `${one.decision} is decided` : one.kind))
        .then((told) => trace.say(`operator is answered: ${told}`))
        .catch((error: unknown) => story.failed(error));
    } else if (deed === 'abort') {
      const { incarnation, register: reached } = at;
      const proposal = { transaction: id, finisher: incarnation, branches: [] };
      reached
        .decide({ ...proposal, proposed: 'abort' })
        .then((decided) => trace.say(`operator is answered: ${decidedText(decided, trace)}`))
        .catch(() => trace.say('operator is answered: unknown, ask again'));
    } else throw new Error(`an operator cannot ${deed}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    trace.say(`operator is refused: ${error.code}`);
  }
}
