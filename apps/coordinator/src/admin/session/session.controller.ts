/**
 * Signing in to the admin view, and out. Guards "the key is not kept in the browser": it is sent once
 * and answered with a cookie that no script can read. A client's key opens no session.
 */
import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Logger,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '../../platform/described.js';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AdminRoute, Caller, Open } from '../../access/access.decorators.js';
import { AdminSessions, isHttps } from '../../access/admin-sessions.js';
import { forbidden } from '../../access/api-key.guard.js';
import { includes } from '../../platform/api-key.js';
import { KeyRing, type Principal } from '../../access/key-ring.js';
import { CONFIG, type CoordinatorConfig } from '../../platform/coordinator.config.js';
import { Problem } from '../../problems/problem.js';
import { AdminSessionResource, ProblemResource, SignIn, type AdminRole } from '@concordat/api';
import { Identity } from '../../platform/identity.js';
import { addressOf } from '../../access/acting.js';
import { VERSION } from '../version.js';
import { SignIns } from './sign-ins.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/session')
export class SessionController {
  private readonly logger = new Logger('Admin');

  constructor(
    private readonly keys: KeyRing,
    private readonly sessions: AdminSessions,
    private readonly signIns: SignIns,
    private readonly identity: Identity,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  @Get()
  @AdminRoute()
  @ApiOperation({ operationId: 'adminSession', summary: 'The caller, and what is allowed here' })
  @ApiResponse({ status: 200, standardSchema: AdminSessionResource, description: 'the session' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  show(
    @Caller() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): AdminSessionResource {
    response.setHeader('Cache-Control', 'no-store');
    return this.resource(principal);
  }

  @Post()
  @Open()
  @HttpCode(200)
  @ApiOperation({ operationId: 'adminSignIn', summary: 'Sign in with a key: sets the cookie' })
  @ApiResponse({ status: 200, standardSchema: AdminSessionResource, description: 'signed in' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  signIn(
    @Body({ schema: SignIn }) { key }: SignIn,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): AdminSessionResource {
    const address = addressOf(request) ?? 'unknown';
    const principal = this.keys.principalOf(key);
    if (!principal) {
      this.signIns.failed(address);
      this.logger.warn(`a sign-in from ${address} failed: the key is not known`);
      throw new Problem(
        'unauthorized',
        'The key is not known here. Check that it is complete, or ask the operator of this installation for one.',
        { errors: [{ field: 'key', message: 'is not known' }] },
      );
    }
    if (!includes(principal.scope, 'viewer')) throw forbidden(principal, 'viewer');
    this.logger.log(`${principal.id} signed in from ${address}`);
    response.setHeader('Set-Cookie', this.sessions.open(principal, isHttps(request)));
    response.setHeader('Cache-Control', 'no-store');
    return this.resource(principal);
  }

  @Delete()
  @Open()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'adminSignOut',
    summary: 'Sign out: ends the session at every coordinator, and takes the cookie back',
  })
  @ApiResponse({ status: 204, description: 'signed out' })
  @ApiResponse({ status: '5XX', standardSchema: ProblemResource, description: 'a problem' })
  async signOut(
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<void> {
    response.setHeader('Set-Cookie', this.sessions.close());
    await this.sessions.end(request);
  }

  private resource({ id, scope }: Principal): AdminSessionResource {
    const { cluster, incarnation, clock } = this.identity;
    return {
      principal: id,
      role: scope as AdminRole, // A client's is turned away before.
      forceEnabled: this.config.isForceEnabled,
      clusterId: cluster,
      incarnation,
      version: VERSION,
      serverTime: new Date(clock.wallNow()).toISOString(),
    };
  }
}
