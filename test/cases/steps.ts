/** What is done in the middle of a case, or looked at there. Each says itself for the page of cases. */
import { waitFor } from '@concordat/testing';
import type { ParticipantId, ServiceId, StartOptions } from '../stage/product.js';
import type { CaseRun, LinkFault, Step } from './case.js';
import { AMOUNT } from './shapes.js';

/** Anything else, in words. */
export const step = (says: string, act: Step['act']): Step => ({ says, act });

export const kill = (id: ServiceId): Step =>
  step(`${id} is killed`, ({ product }) => product.kill(id));

export const start = (id: ServiceId, options: StartOptions = {}): Step =>
  step(`${id} is started`, ({ product }) => product.startService(id, options));

/** Killed, and started again. */
export const replace = (id: ServiceId): Step =>
  step(`${id} is killed and started again`, async ({ product }) => {
    await product.kill(id);
    await product.startService(id);
  });

/** As an init system asks it to. */
export const stop = (id: ServiceId): Step =>
  step(`${id} is asked to stop, and ends`, async ({ product }) => {
    const service = product.service(id);
    service.kill('SIGTERM');
    const { code } = await service.exited;
    if (id.startsWith('coordinator')) expect(code).toBe(0);
  });

export const remove = (id: ServiceId): Step =>
  step(`${id} is taken away`, ({ product }) => product.remove(id));

export const freeze = (id: ServiceId): Step =>
  step(`${id} is frozen`, ({ product }) => product.service(id).kill('SIGSTOP'));

export const thaw = (id: ServiceId): Step =>
  step(`${id} goes on`, ({ product }) => product.service(id).kill('SIGCONT'));

/** The line of a crash point is written first; the process stops a moment later. */
export const untilStopped = (id: ServiceId): Step =>
  step(`${id} stands still`, ({ product }) => product.service(id).untilStopped());

export const crashPostgres: Step = step('Postgres crashes, and is started again', async (run) => {
  const { postgres } = run.product.stack;
  await postgres.stop({ mode: 'immediate' });
  await postgres.start();
});

export const killNats: Step = step('nats-server is killed', ({ product }) =>
  product.stack.nats.kill(),
);

export const startNats: Step = step('nats-server is started', ({ product }) =>
  product.stack.nats.start(),
);

export const cutAll = (id: ServiceId, link: LinkFault['link']): Step =>
  step(`every connection of ${id} to its ${link} is cut`, ({ stage }) =>
    stage.wire(id)[link].cutAll(),
  );

/** Takes faults away: what they hold goes on. */
export const lift = (...whats: readonly string[]): Step =>
  step(`${whats.join(' and ')} may pass`, (run) => {
    for (const what of whats) run.rule(what).lift();
  });

/** Waits until a fault has happened so often. */
export const hit = (what: string, times = 1): Step =>
  step(`${what} was seen${times > 1 ? ` ${times} times` : ''}`, (run) =>
    run.rule(what).waitForHit(times),
  );

/** Waits for the client's answer. */
export const answered: Step = step('its client has its answer, or none', (run) => run.answered());

/** Waits until so many branches are prepared. */
export const prepared = (count: number): Step =>
  step(`${count} branch${count > 1 ? 'es are' : ' is'} prepared`, ({ stage }) =>
    stage.untilPrepared(count),
  );

/** Waits until one branch is prepared, and its vote is with the coordinator. */
export const voted = (participant: ParticipantId): Step =>
  step(`${participant} has voted`, async ({ product }) => {
    await product.untilVoted(participant);
  });

/** Exactly these databases hold a prepared branch now. */
export const leftIn = (...databases: readonly string[]): Step =>
  step(`prepared branches in: ${databases.join(', ') || 'no database'}`, async ({ stage }) => {
    const left = await stage.prepared();
    expect(left.map(({ database }) => database).sort()).toEqual([...databases].sort());
  });

/** This database holds a prepared branch now; others may. */
export const stillIn = (database: string): Step =>
  step(`a prepared branch in ${database}`, async ({ stage }) => {
    expect((await stage.prepared()).map((one) => one.database)).toContain(database);
  });

/** Waits until every branch of it has acknowledged. */
export const completed = (status: 'committed' | 'aborted'): Step =>
  step(`it is ${status} everywhere`, async ({ stage, id }) => {
    expect(await stage.completed(id)).toMatchObject({ status, outcome: status });
  });

/** So many branches are prepared now, in whatever database. */
export const left = (count: number): Step =>
  step(`${count} branch${count > 1 ? 'es' : ''} still prepared`, async ({ stage }) => {
    expect(await stage.prepared()).toHaveLength(count);
  });

/** Waits until nothing is in doubt; it is as decided. */
export const settled = (decision: 'commit' | 'abort'): Step =>
  step(`nothing is in doubt, and it is ${decision === 'commit' ? 'committed' : 'aborted'}`, (run) =>
    untilMoved(run, decision === 'commit' ? AMOUNT : 0),
  );

async function untilMoved({ stage, before, movedByOthers }: CaseRun, amount: number) {
  await stage.untilNothingInDoubt();
  const now = await stage.kept();
  expect(now.bob - before.bob).toBe(amount + movedByOthers);
  expect(before.alice - now.alice).toBe(amount + movedByOthers);
}

/** What is on record of the transactions of the case. */
export const recorded = (decision: 'commit' | 'abort' | undefined): Step =>
  step(`on record: ${decision ?? 'nothing'}`, async ({ stage, before }) => {
    // The databases of participants may be down.
    const now = { ...before, decisions: await stage.decisions() };
    const found = stage.since(before, now).decisions;
    expect(found.map((one) => one.decision)).toEqual(decision === undefined ? [] : [decision]);
  });

/** Another transfer commits, as if nothing had been. */
export const another: Step = step('another transfer commits', async (run) => {
  await run.stage.untilReady();
  expect(await run.stage.post()).toMatchObject({ status: 200 });
  run.movedByOthers += AMOUNT;
});

/** Measures from now, when the coordinator is ready again, until the first of so many is resolved. */
export const firstResolved = (count: number): Step =>
  step('the first branch is resolved', async (run) => {
    const from = performance.now();
    await waitFor(async () => (await run.product.prepared()).length < count, {
      what: 'the first branch to be resolved',
    });
    run.firstMs = performance.now() - from;
  });

/** What an operator sees of a branch matches this, sooner or later. */
export const branchSays = (participant: ParticipantId, says: string, words: RegExp): Step =>
  step(says, (run) =>
    waitFor(
      async () => {
        const branch = await run.stage.branch(run.id, participant);
        return words.test(JSON.stringify(branch));
      },
      { what: says },
    ),
  );
