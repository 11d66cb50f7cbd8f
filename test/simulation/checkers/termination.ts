/** Everything ends (I5), an end is noted last (I17), and the engine never finds itself in the wrong. */
import type { Checker } from './checker.js';

export const termination: Checker = {
  name: 'termination',
  holds: 'I5: long after everything was healed, nothing is left to do',
  complaints: ({ atRest }) => (atRest() ? [] : ['something had not ended long after healing']),
};

export const notPassed: Checker = {
  name: 'not passed',
  holds: 'the pruning mark never passes what is live at a coordinator or has not ended',
  complaints: ({ history }) => history.passed.map((one) => `the mark passed ${one}`),
};

export const shownAsItIs: Checker = {
  name: 'shown as it is',
  holds: 'nothing is shown as under way that is live nowhere',
  complaints: ({ house, registerStore }) =>
    [...house.noted.values()]
      .filter((one) => one.endedAtMs === undefined)
      .filter((one) => !registerStore.everDecided(one.transaction))
      .map((one) => `${one.transaction} is shown as ${one.status}`),
};

export const endedLast: Checker = {
  name: 'ended last',
  holds:
    'I17: a commit is noted as ended, and so may be pruned, only when nothing of it is prepared',
  complaints: ({ history }) =>
    history.endedEarly
      .filter(({ gid }) => !history.actOn(gid))
      .map(({ gid, participant }) => `ended while ${gid} was still prepared at ${participant}`),
};

export const unbroken: Checker = {
  name: 'unbroken',
  holds: 'no invariant of the engine broke, and nothing was thrown that is not a refusal',
  complaints: ({ history }) => history.broken.map((error) => String(error.stack)),
};
