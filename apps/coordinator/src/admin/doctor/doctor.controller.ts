/** `GET /v1/admin/doctor`: every setting that two-phase commit depends on, examined now. */
import { Controller, Get, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '../../platform/described.js';
import type { ServerResponse } from 'node:http';
import { AdminDoctorResource, ProblemResource } from '@concordat/api';
import { AdminRoute } from '../../access/access.decorators.js';
import { Identity } from '../../platform/identity.js';
import { Doctor } from './doctor.js';

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/doctor')
export class DoctorController {
  constructor(
    private readonly doctor: Doctor,
    private readonly identity: Identity,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'adminDoctor',
    summary: 'Settings, guards, versions, with remedies',
  })
  @ApiResponse({ status: 200, standardSchema: AdminDoctorResource, description: 'the findings' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async examine(
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminDoctorResource> {
    response.setHeader('Cache-Control', 'no-store');
    const checks = await this.doctor.examine();
    return { checks, serverTime: new Date(this.identity.clock.wallNow()).toISOString() };
  }
}
