/**
 * Orphans through the admin API: branches on which a participant's database and the register disagree.
 * Guards "say what was not looked at": participants that did not answer are named.
 */
import { Body, Controller, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  ApiOperation,
  ApiResponse,
  ApiTags,
} from '../../platform/described.js';
import { type ListedOrphan, nextOf, orphanActions } from '@concordat/diagnosis';
import {
  OrphanActionBody,
  OrphanActionResultResource,
  OrphanListResource,
  type OrphanResource,
  type PreparedBranchResource,
  ProblemResource,
} from '@concordat/api';
import type { FoundOrphan } from '@concordat/engine';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { CONFIG, type CoordinatorConfig } from '../../platform/coordinator.config.js';
import { headerOf } from '../../requests/reply.js';
import { Identity } from '../../platform/identity.js';
import { Acting, type Operator } from '../../access/acting.js';
import { ParticipantsWatch } from '../../known/participants-watch.js';
import { preparedResource } from '../transactions/prepared-resource.js';
import { OrphanActions } from './orphan-actions.js';
import { OrphanList } from './orphan-list.js';
import { etagOf } from './orphan-tag.js';

/** What the oldest branches hold is looked at closely; the others are only listed. */
const CLOSER_MAX = 100;

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/orphans')
export class OrphansController {
  constructor(
    private readonly orphans: OrphanList,
    private readonly actions: OrphanActions,
    private readonly watch: ParticipantsWatch,
    private readonly identity: Identity,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'adminOrphans',
    summary: 'Branches on which a participant’s database and the register disagree',
  })
  @ApiResponse({ status: 200, standardSchema: OrphanListResource, description: 'found last' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(@Res({ passthrough: true }) response: ServerResponse): Promise<OrphanListResource> {
    response.setHeader('Cache-Control', 'no-store');
    await this.watch.look();
    const { orphans, notCompared, comparedAtMs } = this.orphans.report();
    const held = await this.held(orphans.slice(0, CLOSER_MAX));
    return {
      orphans: orphans.map((one) => this.resource(one, held.get(`${one.participant} ${one.gid}`))),
      notCompared: notCompared.map((one) => ({ ...one })),
      ...(comparedAtMs === undefined ? {} : { comparedAt: new Date(comparedAtMs).toISOString() }),
      serverTime: new Date(this.identity.clock.wallNow()).toISOString(),
    };
  }

  @Post('actions')
  @HttpCode(200)
  @ApiHeader({ name: 'If-Match', required: true, description: 'the `etag` of the orphan as seen' })
  @ApiOperation({ operationId: 'adminActOnOrphan', summary: 'Finish an orphan, or record it' })
  @ApiResponse({
    status: 200,
    standardSchema: OrphanActionResultResource,
    description: 'what it did',
  })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  act(
    @Body({ schema: OrphanActionBody }) body: OrphanActionBody,
    @Acting() operator: Operator,
    @Req() request: IncomingMessage,
  ): Promise<OrphanActionResultResource> {
    return this.actions.act(body, headerOf(request, 'if-match'), operator);
  }

  /** What they hold, in one question to each participant. */
  private async held(
    orphans: readonly FoundOrphan[],
  ): Promise<Map<string, PreparedBranchResource>> {
    const held = new Map<string, PreparedBranchResource>();
    const names = [...new Set(orphans.map((one) => one.participant))];
    await Promise.all(
      names.map(async (participant) => {
        const gids = orphans
          .filter((one) => one.participant === participant && one.kind.startsWith('prepared'))
          .map((one) => one.gid);
        if (gids.length === 0 || this.watch.one(participant)?.state === 'silent') return;
        const { impact } = await this.watch.branches(participant, gids);
        for (const one of impact ?? []) {
          const prepared = preparedResource(participant, one);
          if (prepared) held.set(`${participant} ${one.gid}`, prepared);
        }
      }),
    );
    return held;
  }

  private resource(
    orphan: ListedOrphan,
    prepared: PreparedBranchResource | undefined,
  ): OrphanResource {
    const { gid, transaction, branch, participant, kind, heldMs, verdict, evidence } = orphan;
    return {
      gid,
      transactionId: transaction,
      branch,
      participant,
      kind,
      ...(heldMs === undefined ? {} : { heldMs }),
      ...(prepared ? { prepared } : {}),
      ...(verdict ? { verdict } : {}),
      evidence,
      ...(orphan.foundAtMs === undefined
        ? {}
        : { foundAt: new Date(orphan.foundAtMs).toISOString() }),
      next: nextOf(orphan),
      actions: orphanActions(orphan, this.config),
      etag: etagOf(orphan),
    };
  }
}
