/**
 * Loaded into a service with `--import`: profiles its processor time from one SIGWINCH to the next, and writes
 * the profile to the file that PROFILE_TO names. Nothing of the product knows of it.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const SAMPLE_EVERY_US = 500;

let session: Session | undefined;

process.on('SIGWINCH', () => {
  if (session) stop(session);
  else session = start();
});

function start(): Session {
  const started = new Session();
  started.connect();
  started.post('Profiler.enable');
  started.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
  started.post('Profiler.start');
  return started;
}

function stop(running: Session): void {
  session = undefined;
  running.post('Profiler.stop', (error, answer) => {
    running.disconnect();
    if (error) throw error;
    // The bench looks for the name: it is there once all of it is.
    const file = process.env['PROFILE_TO'] ?? 'service.cpuprofile';
    writeFileSync(`${file}.part`, JSON.stringify(answer.profile));
    renameSync(`${file}.part`, file);
  });
}
