/**
 * Participants through the admin API: who answers, what is prepared there and whom it holds up. Guards
 * "an absence proves nothing": who is silent stays on the list, with when it was last heard.
 */
import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { Problem } from '../../problems/problem.js';
import { ProblemResource } from '../../transactions/transaction.schema.js';
import { Identity } from '../../wiring/identity.js';
import { participantResource } from './participant-resource.js';
import { ParticipantsWatch, type SeenParticipant } from './participants-watch.js';
import { AdminParticipantListResource, AdminParticipantResource } from './prepared.schema.js';

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/participants')
export class AdminParticipantsController {
  constructor(
    private readonly watch: ParticipantsWatch,
    private readonly identity: Identity,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'adminParticipants', summary: 'Everybody, the silent included' })
  @ApiResponse({ status: 200, standardSchema: AdminParticipantListResource, description: 'all' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminParticipantListResource> {
    response.setHeader('Cache-Control', 'no-store');
    const seen = await this.watch.look();
    const serverTime = new Date(this.identity.clock.wallNow()).toISOString();
    return { participants: await Promise.all(seen.map((one) => this.#closer(one))), serverTime };
  }

  @Get(':name')
  @ApiParam({ name: 'name', description: 'name of the participant' })
  @ApiOperation({ operationId: 'adminParticipant', summary: 'One participant, looked at closely' })
  @ApiResponse({ status: 200, standardSchema: AdminParticipantResource, description: 'it' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async show(
    @Param('name') name: string,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminParticipantResource> {
    response.setHeader('Cache-Control', 'no-store');
    await this.watch.look();
    const seen = this.watch.one(name);
    if (seen) return this.#closer(seen);
    throw new Problem(
      'unknown-participant',
      'No participant of this name answers, and none is known from before. See the list for those that are.',
    );
  }

  async #closer(seen: SeenParticipant): Promise<AdminParticipantResource> {
    const closer = seen.state === 'silent' ? undefined : await this.watch.closer(seen.participant);
    return participantResource(seen, closer);
  }
}
