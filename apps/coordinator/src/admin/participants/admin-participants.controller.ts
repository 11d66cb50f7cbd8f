/**
 * Participants through the admin API: which answer, what is prepared there and which sessions it blocks.
 * Guards "an absence proves nothing": a participant that does not answer stays on the list, with the time of
 * its last answer.
 */
import { Body, Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '../../platform/described.js';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { headerOf } from '../../requests/reply.js';
import { retireAction, type Undelivered } from '@concordat/diagnosis';
import {
  AdminParticipantListResource,
  AdminParticipantResource,
  ProblemResource,
  RetireBody,
  RetireResultResource,
} from '@concordat/api';
import { WaitsSeen } from '../../waits/waits-seen.js';
import { Identity } from '../../platform/identity.js';
import { Acting, type Operator } from '../../access/acting.js';
import { unknownParticipant } from './names.js';
import { ParticipantActions } from './participant-actions.js';
import { participantResource } from './participant-resource.js';
import { ParticipantsWatch, type SeenParticipant } from '../../known/participants-watch.js';
import { etagOf } from './participant-tag.js';

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/participants')
export class AdminParticipantsController {
  constructor(
    private readonly watch: ParticipantsWatch,
    private readonly actions: ParticipantActions,
    private readonly identity: Identity,
    private readonly waits: WaitsSeen,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'adminParticipants',
    summary: 'All participants, including those that do not answer',
  })
  @ApiResponse({ status: 200, standardSchema: AdminParticipantListResource, description: 'all' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminParticipantListResource> {
    response.setHeader('Cache-Control', 'no-store');
    const seen = await this.watch.look();
    const undelivered = await this.watch.undelivered(seen);
    const participants = await Promise.all(seen.map((one) => this.closer(one, undelivered)));
    return { participants, serverTime: new Date(this.identity.clock.wallNow()).toISOString() };
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
    if (!seen) throw unknownParticipant(name, this.watch.known());
    const shown = await this.closer(seen, await this.watch.undelivered([seen]));
    response.setHeader('ETag', shown.etag);
    return shown;
  }

  @Post(':name/retire')
  @HttpCode(200)
  @ApiParam({ name: 'name', description: 'name of the participant' })
  @ApiHeader({ name: 'If-Match', required: true, description: 'its `etag` as seen' })
  @ApiOperation({
    operationId: 'adminRetireParticipant',
    summary: 'Take a participant off the list until it answers again',
  })
  @ApiResponse({ status: 200, standardSchema: RetireResultResource, description: 'it is retired' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  retire(
    @Param('name') name: string,
    @Body({ schema: RetireBody }) body: RetireBody,
    @Acting() operator: Operator,
    @Req() request: IncomingMessage,
  ): Promise<RetireResultResource> {
    return this.actions.retire(name, body, headerOf(request, 'if-match'), operator);
  }

  private async closer(
    seen: SeenParticipant,
    undelivered: Undelivered,
  ): Promise<AdminParticipantResource> {
    const closer = seen.state === 'silent' ? undefined : await this.watch.closer(seen.participant);
    const retiring = { seen, undelivered, nowMs: this.identity.clock.wallNow() };
    return {
      ...participantResource(seen, undelivered, closer, this.waits.picture([seen])),
      actions: [retireAction(retiring)],
      etag: etagOf(retiring),
    };
  }
}
