// `npm run chaos -- --minutes 30 --seed N`: builds everything, then runs chaos.spec.ts alone for that
// long, keeps the history and says where. Ends with 0 only when the checker accepts what was seen.
// `--hot`: two rows in two databases that all clients want, while processes and the broker are killed.
// `--check FILE` judges a history that was kept instead. See README.md beside this file.

import { parseArgs } from 'node:util';
import { prologueOrExit } from '../../apps/cli/bootstrap/prologue.mjs';
import { complain, runNpm, say } from '../../apps/cli/bootstrap/commands.mjs';
import { helped } from '../../apps/cli/bootstrap/help.mjs';

const options = {
  minutes: { type: 'string' },
  seconds: { type: 'string' },
  seed: { type: 'string' },
  check: { type: 'string' },
  hot: { type: 'boolean' },
};

function readArguments() {
  try {
    const { values } = parseArgs({ options });
    for (const name of ['minutes', 'seconds', 'seed']) {
      if (values[name] === undefined || /^\d{1,9}$/.test(values[name])) continue;
      throw new Error(`--${name} takes a whole number`);
    }
    return values;
  } catch (error) {
    complain(
      `${error.message}. Use: npm run chaos -- [--minutes N | --seconds N] [--seed N] [--hot], or --check FILE`,
    );
    process.exit(1);
  }
}

if (helped(process.argv, new URL(import.meta.url))) process.exit(0);
const { minutes, seconds, seed, check, hot } = readArguments();
await prologueOrExit();
if (check !== undefined) process.env.CHAOS_CHECK = check;
else {
  process.env.CHAOS_SECONDS = seconds ?? String(Number(minutes ?? 1) * 60);
  process.env.CHAOS_SEED = seed ?? String(Date.now() % 1_000_000);
  process.env.CHAOS_KEEP = 'yes';
  if (hot) process.env.CHAOS_HOT = 'yes';
  say(`chaos: seed ${process.env.CHAOS_SEED}, ${process.env.CHAOS_SECONDS} s`);
}
const { code } = await runNpm(['run', '--silent', 'jest', '--', 'test/chaos/chaos.spec.ts']);
if (code === 0) say('chaos: accepted, every invariant held');
else complain('chaos: REJECTED; the complaints and the history are named above');
process.exit(code);
