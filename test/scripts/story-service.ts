/** The service of every participant of a story: one balance to add to or to look at, and ways to fail. */
import { VoteNoError, type InstanceReport, type OperationCall } from '@concordat/engine';
import type { Host } from '../simulation/host.js';
import type { Service } from '../simulation/nodes.js';
import type { SimulatedSession } from '../simulation/simulated-resource.js';
import { GatedResource, type Database } from './gated-database.js';

export class StoryService implements Service {
  readonly resource: GatedResource;

  constructor(database: Database, host: Host) {
    this.resource = new GatedResource(database, host);
  }

  async run(session: SimulatedSession, { name }: OperationCall): Promise<number> {
    if (name === 'refuse') throw new VoteNoError('OUT_OF_STOCK');
    if (name === 'fail') throw new Error('a bug in the service');
    return this.resource.operate(session, name);
  }

  /** No story reconciles, or prunes outcome rows. */
  report(): Promise<InstanceReport> {
    return Promise.resolve({});
  }

  prune(): Promise<void> {
    return Promise.resolve();
  }
}
