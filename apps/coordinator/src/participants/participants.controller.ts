/**
 * Who takes part: every participant instance that answers now, with what it says of itself. Guards
 * "an absence proves nothing": the list is what answered in time, and says when it was asked.
 */
import { Controller, Get, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '../platform/described.js';
import { ParticipantList, type ParticipantResource, ProblemResource } from '@concordat/api';
import { NatsParticipantChannel } from '@concordat/channel';
import { Caller } from '../access/access.decorators.js';
import { includes } from '../platform/api-key.js';
import type { Principal } from '../access/key-ring.js';
import { ParticipantsWatch } from '../known/participants-watch.js';
import type { ServerResponse } from 'node:http';
import { Readiness } from '../health/readiness.js';
import { send } from '../requests/reply.js';
import { Identity } from '../platform/identity.js';

@ApiTags('inspection')
@ApiBearerAuth()
@Controller('v1/participants')
export class ParticipantsController {
  constructor(
    private readonly channel: NatsParticipantChannel,
    private readonly watch: ParticipantsWatch,
    private readonly readiness: Readiness,
    private readonly identity: Identity,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listParticipants',
    summary: 'The participants that answer, and who does not',
  })
  @ApiResponse({ status: 200, standardSchema: ParticipantList, description: 'who answered' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(
    @Caller() { scope }: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    this.readiness.assertUp('broker'); // Without a broker an empty list would be false.
    const reports = await this.channel.listParticipants();
    const byName = new Map<string, ParticipantResource>();
    for (const { participant, instance, version, report } of reports) {
      const one = byName.get(participant) ?? { participant, instances: [] };
      // Who waits for whom names others' transactions and sessions: that is for viewers.
      const { lockWaits, ...rest } = report;
      const shown = includes(scope, 'viewer') && lockWaits !== undefined ? { lockWaits } : {};
      one.instances.push({ instance, version, report: { ...rest, ...shown } });
      byName.set(participant, one);
    }
    const silent = (await this.watch.look())
      .filter((one) => !byName.has(one.participant))
      .map(({ participant, lastSeenAtMs }) => ({
        participant,
        ...(lastSeenAtMs === undefined ? {} : { lastSeenAt: new Date(lastSeenAtMs).toISOString() }),
      }));
    const serverTime = new Date(this.identity.clock.wallNow()).toISOString();
    return send(response, {
      status: 200,
      body: { participants: [...byName.values()], silent, serverTime },
      headers: { 'Cache-Control': 'no-store' },
    });
  }
}
