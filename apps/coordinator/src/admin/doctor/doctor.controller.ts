/** `GET /v1/admin/doctor`: every setting that two-phase commit depends on, examined now. */
import { Controller, Get, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { AdminRoute } from '../../access/access.decorators.js';
import { ProblemResource } from '../../transactions/transaction.schema.js';
import { Identity } from '../../platform/identity.js';
import { CheckResource } from '../participants/prepared.schema.js';
import { Doctor } from './doctor.js';

export const AdminDoctorResource = z
  .object({ checks: z.array(CheckResource), serverTime: z.iso.datetime() })
  .meta({ id: 'AdminDoctor' });
export type AdminDoctorResource = z.infer<typeof AdminDoctorResource>;

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
