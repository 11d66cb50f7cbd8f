/**
 * `concordat demo stuck`, which `npm run demo:stuck` runs beside a running development stack: six
 * kinds of trouble to try the admin view and the command line on. Ctrl-C
 * puts right what comes right by itself; what needs a person stays for one.
 */
import { ConcordatClient } from '@concordat/client';
import type { ClusterId } from '@concordat/protocol';
import { Progress } from '../dev/progress.js';
import { devFilePath, readDevFile, type DevFile } from '../dev/dev-file.js';
import { DemoStage } from './demo-stage.js';
import { StartRefused } from '../start-refused.js';
import { isReady } from '../dev/services.js';
import { rollBackForeign, STUCK_KINDS } from './stuck-kinds.js';

const AFTERWARDS =
  '\nThe participants of the demonstration are silent from now on, and `concordat doctor` says so: the next demonstration starts them again, `concordat retire <name>` takes one off the list.';

/** Makes all kinds, then waits for `stopped` and heals. Throws with the remedy when no stack runs. */
export async function runDemoStuck(dataDir: string, stopped: Promise<void>): Promise<void> {
  const dev = await runningStack(dataDir);
  const client = new ConcordatClient({ url: dev.coordinatorUrls, apiKey: dev.apiKey });
  const progress = new Progress();
  const heals: { readonly what: string; readonly heal: () => Promise<void> }[] = [];
  progress.say('Six kinds of trouble');
  const stage = await progress.step(
    'Seven more participants on three more database servers',
    () => DemoStage.start(dataDir, dev),
    () => 'ready',
  );
  try {
    await rollBackForeign(stage);
    const parts = {
      stage,
      client,
      clusterId: dev.clusterId as ClusterId,
      onEnd: (what: string, heal: () => Promise<void>) => void heals.unshift({ what, heal }),
    };
    for (const { title, make } of STUCK_KINDS) {
      await progress.step(
        title,
        () => make(parts),
        (what) => what,
      );
    }
    sayWhere(dev, dataDir, progress);
    await stopped;
    progress.say('\nPutting right what comes right by itself. Ctrl-C again ends at once.');
  } finally {
    for (const { what, heal } of heals) {
      await progress.step(what, heal, () => 'done').catch((error: unknown) => complain(error));
    }
    await progress.step(
      'the participants and database servers of the demonstration stop',
      () => stage.stop(),
      () => 'done',
    );
    progress.say(AFTERWARDS);
  }
}

async function runningStack(dataDir: string): Promise<DevFile> {
  const dev = await readDevFile(dataDir);
  if (dev && (await isReady(dev.coordinatorUrl))) return dev;
  throw new StartRefused(
    dev
      ? `no development stack is ready: nothing says so at ${dev.coordinatorUrl}, where the last one in ${dataDir} was`
      : `no development stack is running: there is none in ${dataDir}`,
    'start one with "npm start" (outside of a clone "npx @concordat/cli dev") in another window, with the same CONCORDAT_DATA_DIR if you set it, and wait until it says that it is ready',
  );
}

function sayWhere(dev: DevFile, dataDir: string, progress: Progress): void {
  progress.say();
  progress.say(`  look at   ${dev.adminUrl}`);
  progress.say(`  key       the adminKey in ${devFilePath(dataDir)}`);
  progress.say('  or run    npx concordat stuck · orphans · participants · doctor · watch');
  progress.say();
  progress.say(
    'Ctrl-C starts payments and the database of warehouse again, so that their commits arrive; the heuristic stays for you to acknowledge, the orphan for force: CONCORDAT_FORCE=enabled npm start, and the forceKey.',
  );
}

function complain(error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  console.error(`concordat: ${why.replace(/; last: [^]*$/, '')}`);
}
