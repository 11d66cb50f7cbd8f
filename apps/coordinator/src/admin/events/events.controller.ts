/** `GET /v1/admin/events`: what changed, as server-sent events. The view then asks for what it shows. */
import { Controller, Get, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  ApiOperation,
  ApiProduces,
  ApiResponse,
  ApiTags,
} from '../../platform/described.js';
import type { ServerResponse } from 'node:http';
import { AdminRoute, Caller, type AuthenticatedRequest } from '../../access/access.decorators.js';
import type { Principal } from '../../access/key-ring.js';
import { answerHead } from '../../requests/server-sent-events.js';
import { headerOf } from '../../requests/reply.js';
import { ProblemResource } from '@concordat/api';
import { EventStream } from './event-stream.js';

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/events')
export class EventsController {
  constructor(private readonly events: EventStream) {}

  @Get()
  @ApiOperation({
    operationId: 'adminEvents',
    summary: 'What changed: transaction, participants, overview, orphans, operation, audit, reset',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'resume after this event' })
  @ApiProduces('application/json', 'text/event-stream')
  @ApiResponse({ status: 200, description: 'a stream that ends with the coordinator or session' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async stream(
    @Caller() principal: Principal,
    @Req() request: AuthenticatedRequest,
    @Res() response: ServerResponse,
  ): Promise<void> {
    if (request.method === 'HEAD') {
      answerHead(response);
      return;
    }
    const last = headerOf(request, 'last-event-id');
    await this.events.stream(response, last, { key: principal.id, session: request.session });
  }
}
