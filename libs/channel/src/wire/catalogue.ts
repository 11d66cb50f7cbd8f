/**
 * The catalogue: every message of the protocol under its `type`, with one sentence that says what it
 * is. The JSON schemas of docs/wire-protocol are made from it, and the examples there are checked
 * against them.
 */
import type { z } from 'zod';
import * as commands from './commands.js';
import * as questions from './questions.js';

export interface CataloguedMessage {
  readonly schema: z.ZodType;
  readonly meaning: string;
}

export const MESSAGES: Readonly<Record<string, CataloguedMessage>> = {
  work: {
    schema: commands.work,
    meaning: 'Coordinator to participant: run operations in an open branch.',
  },
  worked: { schema: commands.worked, meaning: 'Answer to work: outputs, or the vote no.' },
  prepare: {
    schema: commands.prepare,
    meaning: 'Coordinator to participant: run the operations, if any, prepare, and vote.',
  },
  vote: { schema: commands.vote, meaning: 'Answer to prepare: what the branch says.' },
  commit: { schema: commands.commit, meaning: 'Coordinator to participant: commit the branch.' },
  abort: { schema: commands.abort, meaning: 'Coordinator to participant: abort the branch.' },
  acknowledged: {
    schema: commands.acknowledged,
    meaning: 'Answer to commit and abort: what happened to the branch.',
  },
  'not-yet': {
    schema: commands.notYet,
    meaning: 'Answer to commit and abort: not finished, ask again.',
  },
  inspect: { schema: commands.inspect, meaning: 'To one participant: report on yourself.' },
  'inspect-all': {
    schema: commands.inspectAll,
    meaning: 'To every instance of every participant: report on yourself.',
  },
  inspected: { schema: commands.inspected, meaning: 'Answer to inspect and inspect-all.' },
  refused: {
    schema: commands.refused,
    meaning: 'Answer of either end: nothing was done, and why.',
  },
  inquire: {
    schema: questions.inquire,
    meaning: 'To any coordinator: what became of this transaction?',
  },
  standing: { schema: questions.standing, meaning: 'Answer to inquire.' },
  'report-heuristic': {
    schema: questions.reportHeuristic,
    meaning: 'Participant to any coordinator: my branch was finished against the decision.',
  },
  recorded: { schema: questions.recorded, meaning: 'Answer to report-heuristic: it is durable.' },
  enlist: {
    schema: questions.enlist,
    meaning: 'Participant to the owner: I was called directly, give me a branch.',
  },
  enlisted: { schema: questions.enlisted, meaning: 'Answer to enlist.' },
  ping: { schema: questions.ping, meaning: 'To one incarnation: are you alive?' },
  alive: { schema: questions.alive, meaning: 'Answer to ping.' },
  live: { schema: questions.live, meaning: 'To one incarnation: is this transaction live there?' },
  liveness: { schema: questions.liveness, meaning: 'Answer to live.' },
  forward: {
    schema: questions.forward,
    meaning: 'Coordinator to the owner: a client asks this of its open transaction.',
  },
  forwarded: { schema: questions.forwarded, meaning: 'Answer to forward.' },
  'low-water-mark': {
    schema: questions.lowWaterMark,
    meaning: 'To any coordinator: below which transaction may outcome rows be pruned?',
  },
  mark: { schema: questions.mark, meaning: 'Answer to low-water-mark.' },
  'same-register': {
    schema: questions.sameRegister,
    meaning: 'Coordinator to every other: does your register hold what I have written into mine?',
  },
  'register-seen': { schema: questions.registerSeen, meaning: 'Answer to same-register.' },
  waits: {
    schema: questions.waits,
    meaning: 'Participant to the owner: what my branches of your transactions wait for now.',
  },
  'waits-noted': { schema: questions.waitsNoted, meaning: 'Answer to waits.' },
  'waits-of': {
    schema: questions.waitsOf,
    meaning: 'Coordinator to the owner: what do these transactions of yours wait for?',
  },
  'waits-told': { schema: questions.waitsTold, meaning: 'Answer to waits-of.' },
  discover: { schema: questions.discover, meaning: 'To any coordinator: which cluster is this?' },
  discovered: { schema: questions.discovered, meaning: 'Answer to discover.' },
  'coordinator-up': {
    schema: questions.coordinatorUp,
    meaning: 'Event: a coordinator came up; inquire about in-doubt branches now.',
  },
};
