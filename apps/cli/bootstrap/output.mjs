// Output whose reader has ended, as in `npm test | head`: what follows is discarded, and the program ends by
// its own code. Imported for that by every program that is run from a clone.

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code === 'EPIPE') return;
    // The disk is full, say. The other stream may still tell it.
    process.exitCode = 1;
    if (stream === process.stdout) console.error(`concordat: the output is lost: ${error.message}`);
  });
}
