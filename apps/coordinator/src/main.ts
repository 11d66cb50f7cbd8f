/**
 * The coordinator's process: `main.js` serves, `main.js keygen …` makes an API key. A key is made without
 * loading what serves, which takes seconds on a busy machine.
 */
import { outliveReaders } from '@concordat/words';
import { keygen } from './keygen.js';

// A log that no process reads any more is no reason to end.
outliveReaders([process.stdout, process.stderr]);
const [command, ...rest] = process.argv.slice(2);
if (command === 'keygen') {
  process.exitCode = keygen(rest, (line) => process.stdout.write(`${line}\n`));
} else if (command === undefined) {
  void import('./process.js').then(({ runProcess }) => runProcess());
} else {
  process.stderr.write(`unknown command "${command}": there is keygen, or none to serve\n`);
  process.exitCode = 1;
}
