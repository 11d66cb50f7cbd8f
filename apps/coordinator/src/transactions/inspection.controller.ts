/**
 * The routes that look: one transaction, its timeline, lists. Guards "a client sees its own
 * transactions only", and answers 404 for the others, so that ids cannot be probed.
 */
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiResponse,
  ApiTags,
} from '../platform/described.js';
import type { KnownTransaction } from '@concordat/diagnosis';
import {
  ListQuery,
  LookQuery,
  ProblemResource,
  TimelineResource,
  TransactionPage,
  TransactionResource,
} from '@concordat/api';
import { TransactionManager } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Caller } from '../access/access.decorators.js';
import { includes } from '../platform/api-key.js';
import type { Principal } from '../access/key-ring.js';
import { CONFIG, type CoordinatorConfig } from '../platform/coordinator.config.js';
import { Readiness } from '../health/readiness.js';
import { headerOf, send } from '../requests/reply.js';
import { branchWaitsResource, type WaitsOf } from '../waits/wait-resource.js';
import { WaitsSeen } from '../waits/waits-seen.js';
import { Identity } from '../platform/identity.js';
import { lastEventId, TimelineStream } from './timeline-stream.js';
import { OwnTransactions } from './own-transactions.js';
import { TransactionLookup } from './transaction-lookup.js';
import { TransactionRecords } from './transaction-records.js';
import { etagOf, timelineResource, transactionResource } from './transaction.resource.js';
import { shown } from './transaction.replies.js';

@ApiTags('inspection')
@ApiBearerAuth()
@Controller('v1/transactions')
export class InspectionController {
  constructor(
    private readonly lookup: TransactionLookup,
    private readonly own: OwnTransactions,
    private readonly records: TransactionRecords,
    private readonly timelines: TimelineStream,
    private readonly readiness: Readiness,
    private readonly waits: WaitsSeen,
    private readonly manager: TransactionManager,
    private readonly identity: Identity,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'listTransactions', summary: 'Transactions, newest first' })
  @ApiResponse({ status: 200, standardSchema: TransactionPage, description: 'one page' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(
    @Query({ schema: ListQuery }) query: ListQuery,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const page = await this.records.list(query, principal);
    const nowMs = this.identity.clock.wallNow();
    const next = page.nextCursor === undefined ? undefined : nextLink(query, page.nextCursor);
    return send(response, {
      status: 200,
      body: {
        transactions: page.transactions.map((one) =>
          transactionResource(one, nowMs, principal.scope),
        ),
        ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }),
        serverTime: new Date(nowMs).toISOString(),
      },
      headers: { 'Cache-Control': 'no-store', ...(next ? { Link: next } : {}) },
    });
  }

  @Get(':id')
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'getTransaction',
    summary: 'One transaction; with ?wait, once a moment has come or something has changed',
  })
  @ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'an ETag: 304 when nothing changed',
  })
  @ApiResponse({ status: 200, standardSchema: TransactionResource, description: 'as it is now' })
  @ApiResponse({ status: 304, description: 'as it was' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async get(
    @Param('id') id: string,
    @Query({ schema: LookQuery }) query: LookQuery,
    @Caller() principal: Principal,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const found = await this.own.look(this.lookup.idOf(id), principal);
    const known = query.wait === undefined ? found : await this.awaited(found, query, query.wait);
    const waitsOf = await this.waitsOf(known, principal);
    const reply = shown(known, this.identity.clock.wallNow(), { scope: principal.scope, waitsOf });
    const isSame = matches(headerOf(request, 'if-none-match'), etagOf(known));
    return send(response, isSame ? { status: 304, headers: reply.headers } : reply);
  }

  @Get(':id/events')
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'getTimeline',
    summary: 'Its timeline: as JSON, or as server-sent events when Accept asks for them',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'resume after this event' })
  @ApiProduces('application/json', 'text/event-stream')
  @ApiResponse({ status: 200, standardSchema: TimelineResource, description: 'the timeline' })
  @ApiResponse({ status: 204, description: 'event stream: it has ended and there is nothing more' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async events(
    @Param('id') id: string,
    @Caller() principal: Principal,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const known = await this.own.look(this.lookup.idOf(id), principal);
    const isStream = headerOf(request, 'accept')?.includes('text/event-stream') === true;
    if (isStream && request.method === 'GET') {
      const last = lastEventId(headerOf(request, 'last-event-id'));
      await this.timelines.stream(known, last, response, principal);
      return;
    }
    const text = JSON.stringify(
      timelineResource(known, this.identity.clock.wallNow(), principal.scope),
    );
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  private async waitsOf(known: KnownTransaction, { scope }: Principal): Promise<WaitsOf> {
    const waits = await this.waits.ofBranches(known);
    const isOperator = includes(scope, 'viewer');
    const statusOf = (id: TransactionId) => this.manager.view(id)?.status;
    return (branch) => {
      const found = waits(branch);
      return found && branchWaitsResource(found, { isOperator, statusOf });
    };
  }

  private async awaited(
    found: KnownTransaction,
    query: LookQuery,
    waitMs: number,
  ): Promise<KnownTransaction> {
    const until =
      query.sinceVersion === undefined
        ? (query.until ?? 'decided')
        : { versionAbove: query.sinceVersion };
    const bounded = Math.min(waitMs, this.config.waitMsMax);
    const settled = await this.lookup.settle(found.transaction, until, bounded, (listener) =>
      this.readiness.onDraining(listener),
    );
    return settled ?? found;
  }
}

/**
 * RFC 9110 §13.1.2, weakly compared. The server compares too, but not when the client also sends
 * `Cache-Control: no-cache`, as fetch does with every If-None-Match.
 */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const weak = (tag: string): string => tag.trim().replace(/^W\//, '');
  return (ifNoneMatch ?? '')
    .split(',')
    .some((tag) => tag.trim() === '*' || weak(tag) === weak(etag));
}

/** RFC 8288: the address of the next page, with the same filters. */
function nextLink(query: ListQuery, cursor: string): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...query, cursor })) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) parameters.append(name, String(one));
    }
  }
  return `</v1/transactions?${parameters.toString()}>; rel="next"`;
}
