/**
 * Waits to be told to stop: by a signal, or by the end of whoever started us, so that nothing of ours
 * stays behind. Guards the end as well: as long as anybody listens to it, the channel to our starter
 * keeps a process alive that has nothing left to do.
 */
export function untilStopped(): Promise<void> {
  return new Promise<void>((resolve) => {
    const stop = (): void => {
      process.off('disconnect', stop);
      resolve();
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    process.once('disconnect', stop);
  });
}
