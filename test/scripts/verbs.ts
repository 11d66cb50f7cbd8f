/**
 * The verbs of stories: what a client, the network, time, a process or an operator does. README.md
 * shows each by example.
 */
import {
  VoteNoError,
  type BranchRequest,
  type Moment,
  type OperationCall,
  type PrepareChoice,
  type WaitFor,
} from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
import type { Command } from './command.js';
import { FAULT_VERBS } from './fault-verbs.js';
import { show } from './show.js';
import type { Story } from './story.js';
import type { Verb } from './verb.js';
import { storedText } from './wording.js';

const WAIT_MS = 30_000;
/** More deliveries in one go than this are an endless conversation. */
const DELIVERIES_MAX = 500;

const CLIENT_VERBS: Readonly<Record<string, Verb>> = {
  begin: {
    options: ['at', 'timeout', 'key', 'body'],
    run(story, command) {
      const name = command.word(0, 'a name for the transaction');
      const at = story.coordinator(command.option('at') ?? 'c1');
      story.begins(name, at, () => at.manager.begin(requestOf(command)));
    },
  },

  submit: {
    options: ['at', 'timeout', 'key', 'body', 'until', 'wait', 'retry', 'prepare'],
    run(story, command) {
      const name = command.word(0, 'a name for the transaction');
      const at = story.coordinator(command.option('at') ?? 'c1');
      const branches = command.words.slice(1).map((one) => branchOf(story, one));
      const prepare = command.option('prepare') as PrepareChoice | undefined;
      // Most stories are about one attempt.
      const retry = command.option('retry') === 'yes';
      const request = { ...requestOf(command), branches, retry, prepare };
      const wait = waitOf(command);
      const { idempotency } = request;
      if (!idempotency) {
        story.client(
          name,
          at,
          story.begins(name, at, () => at.manager.submit(request, wait)),
        );
        return;
      }
      // As the coordinator's REST commands do it: join, or replay what is stored, or begin and wait.
      const answer = at.keyed.submit({ ...request, idempotency }, wait, () =>
        story.begins(name, at, () => at.manager.launch(request)),
      );
      story.client(
        name,
        at,
        answer.then((said) => said.view ?? storedText(said)),
      );
    },
  },

  work: {
    run(story, command) {
      const name = command.word(0, 'a transaction');
      const at = story.home(name);
      for (const { participant, operations } of command.words
        .slice(1)
        .map((one) => branchOf(story, one))) {
        const done = at.manager.work(story.id(name), participant, operations);
        story.client(
          name,
          at,
          done.then(() => `answered: ${participant} did its work`),
        );
      }
    },
  },

  join: {
    run(story, command) {
      const name = command.word(0, 'a transaction');
      const called = story.participant(command.word(1, 'a participant'));
      const operation = command.words[2] ?? 'add';
      const caller = `caller of ${called.name} in ${name}`;
      called.join(story.id(name), { name: operation, input: {} }).then(
        () => story.trace.say(`${caller} is answered: done`),
        (error: unknown) => story.trace.say(`${caller} is ${refused(error)}`),
      );
    },
  },

  commit: {
    options: ['at', 'until', 'wait'],
    run(story, command) {
      const name = command.word(0, 'a transaction');
      const at = whereOf(story, command, name);
      story.client(name, at, at.manager.commit(story.id(name), waitOf(command)));
    },
  },

  /** What became of it, of any coordinator: where nothing is on record and its owner is gone, it is decided now. */
  ask: {
    options: ['at'],
    run(story, command) {
      const name = command.word(0, 'a transaction');
      const at = whereOf(story, command, name);
      const answer = at.manager.inquire({ transaction: story.id(name) });
      story.client(
        name,
        at,
        answer.then((one) => `answered: ${one.kind === 'decided' ? one.decision : one.kind}`),
      );
    },
  },

  rollback: {
    options: ['at', 'until', 'wait'],
    run(story, command) {
      const name = command.word(0, 'a transaction');
      const at = whereOf(story, command, name);
      const why = 'its client asked for a rollback';
      story.client(name, at, at.manager.rollback(story.id(name), why, waitOf(command)));
    },
  },
};

const NETWORK_VERBS: Readonly<Record<string, Verb>> = {
  deliver: {
    options: ['to', 'count', 'nth'],
    async run(story, command) {
      const { network } = story;
      if (command.words.length > 0) {
        for (const letter of found(story, command)) {
          network.take(letter);
          letter.deliver(command.option('to'));
          await story.settle();
        }
        return;
      }
      for (let done = 0; done < DELIVERIES_MAX; done++) {
        const [next] = network.find([]);
        if (!next) return;
        network.take(next);
        next.deliver();
        await story.settle();
      }
      throw new Error(`${DELIVERIES_MAX} messages were delivered and there is no end`);
    },
  },

  drop: {
    options: ['count', 'nth'],
    run(story, command) {
      for (const letter of found(story, command)) {
        story.network.take(letter);
        story.trace.say(`lost: ${letter.line}`);
      }
    },
  },

  duplicate: {
    run(story, command) {
      for (const letter of found(story, command)) {
        story.network.double(letter);
        story.trace.say(`twice on its way: ${letter.line}`);
      }
    },
  },

  disconnect: {
    run(story, command) {
      const name = command.word(0, 'a process');
      story.trace.say(`${name} loses the broker for a moment`);
      story.network.disconnect(name);
    },
  },

  'in-flight': {
    run(story) {
      for (const { line } of story.network.find([])) story.trace.say(line);
    },
  },

  advance: {
    async run(story, command) {
      story.trace.startClock();
      await story.play(Number(command.word(0, 'milliseconds')));
      story.trace.stopClock();
    },
  },
};

/** What participants know how to do. */
const KNOWLEDGE_VERBS: Readonly<Record<string, Verb>> = {
  'one-phase': {
    run: (story, command) => story.commitsInOnePhase(command.word(0, 'a participant')),
  },
};

export const VERBS: Readonly<Record<string, Verb>> = {
  ...CLIENT_VERBS,
  ...NETWORK_VERBS,
  ...FAULT_VERBS,
  ...KNOWLEDGE_VERBS,
  show: {
    run: (story, command) => show(story, command.word(0, 'a transaction')),
  },
};

function requestOf(command: Command) {
  const timeoutMs = command.number('timeout');
  const key = command.option('key');
  const idempotency = key && { key, fingerprint: command.option('body') ?? 'the same body' };
  return {
    principal: 'client',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(idempotency ? { idempotency } : {}),
  };
}

function waitOf(command: Command): WaitFor {
  const until = (command.option('until') ?? 'decided') as Moment;
  return { until, waitMs: command.number('wait') ?? WAIT_MS };
}

function whereOf(story: Story, command: Command, transaction: string) {
  const at = command.option('at');
  return at ? story.coordinator(at) : story.home(transaction);
}

/** `inventory`, or with its operations: `inventory:look+add`. */
function branchOf(story: Story, text: string): BranchRequest {
  const [name = '', operations = 'add'] = text.split(':');
  story.participant(name);
  const calls: OperationCall[] = operations.split('+').map((one) => ({ name: one, input: {} }));
  return { participant: name as ParticipantName, operations: calls };
}

function found(story: Story, command: Command) {
  const letters = story.network.find(command.words);
  const nth = command.number('nth');
  const chosen = nth ? letters.slice(nth - 1, nth) : letters.slice(0, command.number('count'));
  if (chosen.length > 0) return chosen;
  const words = command.words.join(' ');
  const lines = story.network.find([]).map((one) => `  ${one.line}`);
  throw new Error(`nothing on its way matches "${words}"; there is:\n${lines.join('\n')}`);
}

function refused(error: unknown): string {
  if (error instanceof VoteNoError) return `given the refusal: ${error.vote.code}`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return code ? `refused: ${code}` : `given an error: ${String(error)}`;
}
