// A participant as a process of its own, made to be killed while it starts: its options are the first
// argument, as JSON. Prints a line when it listens.

import { createParticipant } from '@concordat/participant/standalone';

const participant = createParticipant({
  ...JSON.parse(process.argv[2]),
  operations: [{ name: 'nothing', run: () => undefined }],
  log: { log: console.log, warn: console.warn, error: console.error },
});
await participant.start();
await participant.ready();
console.log('it listens');
