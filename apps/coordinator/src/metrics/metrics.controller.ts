/** `/metrics` for Prometheus, with a key that may look at everything: rates and backlogs are not public. */
import { Controller, Get, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiOperation,
  ApiProduces,
  ApiResponse,
  ApiTags,
} from '../platform/described.js';
import type { ServerResponse } from 'node:http';
import { Needs } from '../access/access.decorators.js';
import { Metrics } from './metrics.js';

@ApiTags('health')
@ApiBearerAuth()
@Needs('viewer')
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  @ApiProduces('text/plain')
  @ApiOperation({ operationId: 'metrics', summary: 'Prometheus metrics' })
  @ApiResponse({ status: 200, description: 'text exposition format' })
  async read(@Res() response: ServerResponse): Promise<void> {
    const text = await this.metrics.text();
    response.setHeader('Content-Type', this.metrics.contentType);
    response.setHeader('Cache-Control', 'no-store');
    response.end(text);
  }
}
