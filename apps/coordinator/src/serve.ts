/**
 * The life of the process: start, ready, drain, end. Guards the order of both: nothing may begin
 * before this coordinator is on the list of the living and answers questions, and at the end it says that
 * it is leaving, stops admitting, lets what is live finish within the drain time, writes what is noted, and
 * closes its connections. Crash window: killed anywhere in here, recovery does what was left undone.
 */
import { serveCoordinator, type ServedCoordinator } from '@concordat/channel';
import { Logger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Server } from 'node:http';
import { CoordinatorModule } from './coordinator.module.js';
import type { CoordinatorConfig } from './platform/coordinator.config.js';
import { CarryOut } from './transactions/carry-out.js';
import { dressHttp } from './http-surface.js';
import { NodeServer } from './requests/node-server.js';
import { clientBehind, ServedFiles } from './served-files.js';
import { openParts, type CoordinatorParts } from './wiring/parts.js';
import { untilDatabaseAnswers } from './wiring/start-wait.js';

/** Requests that are being answered get this long after everything else has ended. */
const CLOSE_GRACE_MS = 2_000;
const WIRE_DRAIN_MS = 2_000;

export class RunningCoordinator {
  private readonly logger = new Logger('Coordinator');
  private stopping: Promise<void> | undefined;

  constructor(
    readonly url: string,
    readonly parts: CoordinatorParts,
    private readonly app: INestApplication,
    private readonly served: ServedCoordinator,
    private readonly config: CoordinatorConfig,
  ) {}

  /** Drains and ends. Repeats join the first. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    const { parts, config } = this;
    const { manager } = parts;
    this.logger.log(`stopping: ${manager.liveCount()} transactions are live`);
    parts.readiness.beginLeaving();
    await this.pause(config.drainNoticeMs); // Who balances asks meanwhile, and sends begins elsewhere.
    parts.readiness.beginDraining();
    // Commits and rollbacks are still served meanwhile, also for other coordinators and by them.
    await Promise.all([manager.drain(config.drainMs), parts.forwarder.drain(config.drainMs)]);
    parts.readiness.beginEnding();
    const left = manager.liveCount();
    if (left > 0) this.logger.warn(`${left} transactions are left to recovery`);
    await this.closeHttp();
    for (const probe of parts.probes) probe.stop();
    parts.watch.stop();
    parts.pulse.stop();
    parts.events.stop();
    parts.deadlocks.stop();
    await parts.recoverer.stop();
    await parts.lostPrepares.stop();
    await parts.reconciler.stop();
    await parts.comparison.stop();
    // First: leaving the list is forced, and makes durable what was noted before it.
    await parts.log.historyWriter.flush();
    await parts.housekeeping.stop(left === 0);
    // Written before it is gone: a transaction without an owner is answered from what is on record.
    await parts.log.historyWriter.flush();
    await this.served.stop(WIRE_DRAIN_MS);
    // Questions first: one that is being answered may still have to ask another coordinator.
    await parts.questions.drain(WIRE_DRAIN_MS);
    await parts.commands.drain(WIRE_DRAIN_MS);
    await parts.log.close();
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.parts.identity.clock.after(ms, resolve));
  }

  private async closeHttp(): Promise<void> {
    const server = this.app.getHttpServer() as Server;
    const cut = this.parts.identity.clock.after(CLOSE_GRACE_MS, () => server.closeAllConnections());
    await this.app.close();
    cut();
  }
}

/** Starts a coordinator; resolves once it is ready. After a failure it closes what was opened. */
export async function startCoordinator(config: CoordinatorConfig): Promise<RunningCoordinator> {
  const parts = await openParts(config);
  const undo: (() => Promise<unknown>)[] = [
    () => parts.log.close(),
    () => Promise.all([parts.commands.close(), parts.questions.close()]),
  ];
  try {
    for (const probe of parts.probes) probe.start();
    undo.push(async () => parts.probes.forEach((probe) => probe.stop()));
    await untilDatabaseAnswers(parts.identity.clock, config.startWaitMs, () =>
      parts.housekeeping.start(),
    );
    undo.push(() => parts.housekeeping.stop(true));
    // Nothing is answered from the register until it has been compared with all others', who must receive our
    // messages before we ask: of two that start at once, one receives the other's.
    const late: { carryOut?: CarryOut } = {};
    const served = await serve(parts, late);
    undo.push(() => served.stop());
    await untilDatabaseAnswers(parts.identity.clock, config.startWaitMs, () =>
      parts.comparison.start(),
    );
    undo.push(() => parts.comparison.stop());
    parts.peers.onOneAgain(() => served.announceUp()); // Branches in doubt need not wait any longer.
    const files = new ServedFiles();
    const app = await NestFactory.create(
      CoordinatorModule.of(parts, config),
      new NodeServer(await clientBehind(config.trustedProxies), files.errors),
      { bodyParser: false, abortOnError: false, bufferLogs: false },
    );
    undo.push(() => app.close());
    late.carryOut = app.get(CarryOut);
    dressHttp(app, config, files);
    await listen(app, config);
    parts.recoverer.start();
    parts.reconciler.start();
    parts.lostPrepares.start();
    parts.watch.start();
    parts.pulse.start();
    served.announceUp();
    return new RunningCoordinator(urlOf(app, config), parts, app, served, config);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

function serve(
  { questions, identity, manager, log, comparison, waits }: CoordinatorParts,
  late: { readonly carryOut?: CarryOut },
): Promise<ServedCoordinator> {
  const { cluster, incarnation } = identity;
  return serveCoordinator(questions, {
    cluster,
    incarnation,
    handlers: {
      forward: async (forward) => {
        // Nothing was begun here before that.
        if (!late.carryOut) throw new Error('this coordinator is starting');
        return late.carryOut.answer(forward);
      },
      inquire: (inquiry) => manager.inquire(inquiry),
      reportHeuristic: (report) => manager.recordReported(report),
      enlist: (enlistment) => manager.enlist(enlistment),
      principalOf: (transaction) => manager.view(transaction)?.principal,
      isLive: (transaction) => manager.isLive(transaction),
      lowWaterMark: () => log.register.lowWaterMark(),
      forgottenBelow: (participant) => log.reconciliation.forgottenAt(participant),
      waits: (report) => void waits.report(report),
      waitsOf: (transactions) => waits.asked(transactions),
      sameRegister: (asked) => comparison.answer(asked),
    },
  });
}

async function listen(app: INestApplication, config: CoordinatorConfig): Promise<void> {
  try {
    await app.listen(config.port, config.host);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const where = `${config.host}:${config.port}`;
    if (code === 'EADDRINUSE') {
      throw new Error(`${where} is in use: stop what listens there, or set PORT`, { cause: error });
    }
    if (code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND') {
      throw new Error(`cannot listen on ${where} (${code}): set HOST and PORT`, { cause: error });
    }
    throw error;
  }
}

function urlOf(app: INestApplication, { host }: CoordinatorConfig): string {
  const address = (app.getHttpServer() as Server).address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const named = host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${named}:${port}`;
}
