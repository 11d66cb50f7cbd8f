// The order in which jest takes the suites: those that search for long or start real processes first. They
// last longest, and jest, which on a fresh clone knows only the sizes of their files, would leave the last of
// them running alone while the other workers have nothing to do.

import Sequencer from '@jest/test-sequencer';

/** Longest first; what is in none of these folders comes after them. */
const FOLDERS = [
  'chaos',
  'crash',
  'browser',
  'model',
  'simulation',
  'e2e',
  'faults',
  'hosts',
  'orms',
  'polyglot',
  'conformance',
  'fitness',
];

function rankOf({ path }) {
  const rank = FOLDERS.findIndex((folder) => path.includes(`/test/${folder}/`));
  return rank === -1 ? FOLDERS.length : rank;
}

export default class LongestFirst extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((one, other) => rankOf(one) - rankOf(other));
  }
}
