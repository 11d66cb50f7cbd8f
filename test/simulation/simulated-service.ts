/** The service of every participant of a simulation: it adds to accounts, or looks. */
import type { InstanceReport, Look, Marks, OperationCall } from '@concordat/engine';
import type { ClusterId } from '@concordat/protocol';
import type { Service } from './nodes.js';
import type { SimulatedResource, SimulatedSession } from './simulated-resource.js';
import { ACCOUNT } from './workload-account.js';

export class SimulatedService implements Service {
  constructor(readonly resource: SimulatedResource) {}

  run(session: SimulatedSession, { input }: OperationCall): Promise<number> {
    const { account, delta } = input as { account: string; delta: number };
    return this.resource.operate(session, account, delta, account === ACCOUNT && delta !== 0);
  }

  report(look: Look, cluster: ClusterId): Promise<InstanceReport> {
    return this.resource.report(look, cluster);
  }

  prune(marks: Marks, retentionMs: number): Promise<void> {
    return this.resource.prune(marks, retentionMs);
  }
}
