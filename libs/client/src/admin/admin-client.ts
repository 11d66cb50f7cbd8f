/**
 * The admin routes of the REST API, for the command line, scripts and tests. Guards "the opposite of
 * what is shown is never done": every action carries the entity tag of what its caller has seen.
 */
import { httpTo, type ConcordatClientOptions } from '../client-options.js';
import { serverSentEvents } from '../event-stream.js';
import type { Http } from '../http.js';
import type {
  ActionRequest,
  ActionResult,
  AdminDoctor,
  AdminEvent,
  AdminListRequest,
  AdminOperation,
  AdminOperationDetail,
  AdminOperationList,
  AdminOrphanList,
  AdminOverview,
  AdminParticipant,
  AdminParticipantList,
  AdminSession,
  AdminTransaction,
  AdminTransactionList,
  AuditPage,
  AuditRequest,
  OperationRequestBody,
  OrphanActionRequest,
  OrphanActionResult,
  RetireRequest,
  RetireResult,
} from '../generated/api.js';

/** An event and the id after which a later stream resumes. */
export interface NumberedAdminEvent {
  readonly id: string;
  readonly event: AdminEvent;
}

/** An operation as somebody has seen it. */
export type SeenOperation = Pick<AdminOperation, 'operationId' | 'etag'>;

/** How long an action may wait for the branches' answers. */
const ACTION_HELD_MS = 15_000;

export class AdminClient {
  private readonly http: Http;

  /** `apiKey` is a key of scope `viewer`, `operator` or `force`. */
  constructor(options: ConcordatClientOptions) {
    this.http = httpTo(options);
  }

  session(): Promise<AdminSession> {
    return this.get('/session');
  }

  overview(): Promise<AdminOverview> {
    return this.get('/overview');
  }

  /** One page. `nextCursor` of the answer, given as `cursor`, is the next. */
  transactions(request: AdminListRequest = {}): Promise<AdminTransactionList> {
    return this.get('/transactions', { ...request });
  }

  transaction(id: string): Promise<AdminTransaction> {
    return this.get(`/transactions/${encodeURIComponent(id)}`);
  }

  /**
   * Carries out an action on what `etag` names. Throws a `ConcordatProblem` with status 412 when the
   * transaction has changed since, 409 when the action is not offered, 403 when the key may not.
   */
  act(id: string, request: ActionRequest, etag: string): Promise<ActionResult> {
    const path = `/transactions/${encodeURIComponent(id)}/actions`;
    return this.post(path, request, { 'If-Match': etag });
  }

  participants(): Promise<AdminParticipantList> {
    return this.get('/participants');
  }

  participant(name: string): Promise<AdminParticipant> {
    return this.get(`/participants/${encodeURIComponent(name)}`);
  }

  /** Takes a participant off the list until it answers again. Refused as {@link act} is. */
  retire(name: string, request: RetireRequest, etag: string): Promise<RetireResult> {
    const path = `/participants/${encodeURIComponent(name)}/retire`;
    return this.post(path, request, { 'If-Match': etag });
  }

  orphans(): Promise<AdminOrphanList> {
    return this.get('/orphans');
  }

  /** Acts on the orphan that `etag` names. Throws a `ConcordatProblem` as {@link act} does. */
  actOnOrphan(request: OrphanActionRequest, etag: string): Promise<OrphanActionResult> {
    return this.post('/orphans/actions', request, { 'If-Match': etag });
  }

  operations(): Promise<AdminOperationList> {
    return this.get('/operations');
  }

  /** Freezes the selection and says what would be done; nothing is begun. */
  planOperation(request: OperationRequestBody): Promise<AdminOperation> {
    return this.post('/operations', request);
  }

  operation(id: string, cursor?: string): Promise<AdminOperationDetail> {
    return this.get(`/operations/${encodeURIComponent(id)}`, { cursor });
  }

  /**
   * Begins an operation as it was seen. `confirm` is what its `confirm` asks to be typed. Throws a
   * `ConcordatProblem` with status 412 when another client has started or cancelled it since.
   */
  startOperation(seen: SeenOperation, confirm?: string): Promise<AdminOperation> {
    return this.onOperation(seen, 'start', { confirm });
  }

  /** Items that have not begun stay as they are. Throws as {@link startOperation} does. */
  cancelOperation(seen: SeenOperation): Promise<AdminOperation> {
    return this.onOperation(seen, 'cancel', {});
  }

  audit(request: AuditRequest = {}): Promise<AuditPage> {
    return this.get('/audit', { ...request });
  }

  doctor(): Promise<AdminDoctor> {
    return this.get('/doctor');
  }

  /** What changes, from after `lastEventId` on, until the connection ends or `signal` says so. */
  async *events(lastEventId?: string, signal?: AbortSignal): AsyncGenerator<NumberedAdminEvent> {
    const response = await this.http.open({
      method: 'GET',
      path: '/v1/admin/events',
      headers: {
        Accept: 'text/event-stream',
        ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
      },
      repeatable: true,
      ...(signal ? { signal } : {}),
    });
    for await (const { id, data } of serverSentEvents(response)) {
      yield { id, event: JSON.parse(data) as AdminEvent };
    }
  }

  private onOperation(
    { operationId, etag }: SeenOperation,
    verb: 'start' | 'cancel',
    body: object,
  ): Promise<AdminOperation> {
    const path = `/operations/${encodeURIComponent(operationId)}/${verb}`;
    return this.post(path, body, { 'If-Match': etag });
  }

  private async get<T>(path: string, query: Query = {}): Promise<T> {
    const request = { method: 'GET', path: `/v1/admin${path}`, query, repeatable: true } as const;
    return (await this.http.request(request)).body as T;
  }

  /** Never repeated by itself: a lost answer may have been carried out, and the audit says so. */
  private async post<T>(
    path: string,
    body: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const answer = await this.http.request({
      method: 'POST',
      path: `/v1/admin${path}`,
      headers,
      body,
      repeatable: false,
      heldMs: ACTION_HELD_MS,
    });
    return answer.body as T;
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
