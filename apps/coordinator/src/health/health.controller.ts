/**
 * Health for load balancers and orchestrators. Guards "health is true": `/livez` says only that the process
 * runs, `/readyz` that a transaction begun now could be carried through, and otherwise which dependency does
 * not answer. Needs no key and says nothing else.
 */
import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '../platform/described.js';
import type { ServerResponse } from 'node:http';
import { Open } from '../access/access.decorators.js';
import { send } from '../requests/reply.js';
import { Readiness } from './readiness.js';

@ApiTags('health')
@Open()
@Controller()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('livez')
  @ApiOperation({ operationId: 'livez', summary: 'The process turns' })
  @ApiResponse({ status: 200, description: 'it does' })
  livez(): { readonly status: 'alive' } {
    return { status: 'alive' };
  }

  @Get('startupz')
  @ApiOperation({ operationId: 'startupz', summary: 'The start is over' })
  @ApiResponse({ status: 200, description: 'it is: nothing listens before' })
  startupz(): { readonly status: 'started' } {
    return { status: 'started' };
  }

  @Get('readyz')
  @ApiOperation({
    operationId: 'readyz',
    summary: 'A transaction begun now could be carried through',
  })
  @ApiResponse({ status: 200, description: 'ready' })
  @ApiResponse({
    status: 503,
    description: 'not ready: names the dependency that is away, or draining',
  })
  async readyz(@Res({ passthrough: true }) response: ServerResponse): Promise<unknown> {
    const report = await this.readiness.report();
    return send(response, {
      status: report.status === 'ready' ? 200 : 503,
      body: report,
      headers: {
        'Cache-Control': 'no-store',
        ...(report.status === 'ready' ? {} : { 'Retry-After': '1' }),
      },
    });
  }
}
