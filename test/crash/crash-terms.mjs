/** The names of crash points, checked: what a list such as `decide.post=kill` arms. */

/** Steps of each side; those with a reply can have it dropped after their effect. */
const STEPS = {
  coordinator: {
    replied: ['decide', 'presume', 'claim', 'end', 'prepare', 'commit', 'abort'],
    silent: [],
  },
  participant: { replied: ['prepare', 'commit', 'abort', 'scan', 'inquire'], silent: ['begin'] },
};

/**
 * The terms of a list of crash points, for a process of this side. Throws for a name that is no crash point
 * there, and for a drop where there is no reply.
 */
export function parseTerms(text, side) {
  return text
    .split(';')
    .filter(Boolean)
    .map((term) => {
      const match =
        /^([a-z]+)\.(pre|post)(?:@([a-z0-9-]+))?(?:#(\d+))?=(kill|stop|throw|hang|drop)$/.exec(
          term,
        );
      if (!match) throw new Error(`not a crash point: ${term}`);
      const [, step, edge, participant, nth, action] = match;
      const { replied, silent } = STEPS[side] ?? { replied: [], silent: [] };
      if (![...replied, ...silent].includes(step)) throw new Error(`${side} has no ${step}`);
      if (action === 'drop' && (edge === 'pre' || silent.includes(step))) {
        throw new Error(
          `there is no reply to drop at ${step}.${edge}: only after what is answered`,
        );
      }
      const point = `${step}.${edge}`;
      return { point, participant, nth: nth ? Number(nth) : undefined, action, seen: 0 };
    });
}
