/**
 * The schemas of the admin API are the types that its clients are written against: field by field, also
 * which are optional. The compiler compares; what differs does not type-check.
 */
import type {
  ActionBody,
  ActionResultResource,
  AdminBranchResource,
  AdminDoctorResource,
  AdminListQuery,
  AdminOperationDetailResource,
  AdminOperationListResource,
  AdminOperationResource,
  AdminOverviewResource,
  AdminParticipantListResource,
  AdminParticipantResource,
  AdminSessionResource,
  AdminTransactionListResource,
  AdminTransactionResource,
  AuditEntryResource,
  AuditPageResource,
  BranchResource,
  CheckResource,
  ExplanationResource,
  OfferedActionResource,
  OperationBody,
  OperationItemResource,
  OrphanActionBody,
  OrphanActionResultResource,
  OrphanListResource,
  OrphanResource,
  ParticipantSummaryResource,
  PreparedBranchResource,
  TransactionResource,
  TransactionRowResource,
} from '@concordat/api';
import type * as client from '@concordat/client';
import type { z } from 'zod';
import type { AdminEvent } from './events/admin-events.js';

/** Known words only: an open enum and a closed one of the same words are the same here. */
type Word<T> = [Known<T>] extends [never] ? string : Known<T>;
type Known<T> = T extends string ? (string extends T ? never : T) : never;

type Optional<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];

/**
 * The same shape, readonly or not, and however an enum is written. A transaction of the public API is
 * compared by assignment below: its own schema is looser on purpose.
 */
type Shape<T> = [T] extends [string]
  ? Word<T>
  : [T] extends [number | boolean | null]
    ? T
    : [T] extends [{ readonly transactionId: string; readonly owner: string }]
      ? 'transaction'
      : [T] extends [readonly (infer E)[]]
        ? Shape<E>[]
        : [T] extends [object]
          ? { [K in Exclude<keyof T, Optional<T>>]: Shape<T[K]> } & {
              [K in Optional<T> & keyof T]?: Shape<Exclude<T[K], undefined>>;
            }
          : T;

type Flat<T> = T extends readonly (infer E)[]
  ? Flat<E>[]
  : T extends object
    ? { [K in keyof T]: Flat<T[K]> }
    : T;
type Equal<A, B> =
  (<T>() => T extends Flat<Shape<A>> ? 1 : 2) extends <T>() => T extends Flat<Shape<B>> ? 1 : 2
    ? true
    : false;
type Fits<A, B> = A extends B ? true : false;

interface Compared {
  session: Equal<AdminSessionResource, client.AdminSession>;
  overview: Equal<AdminOverviewResource, client.AdminOverview>;
  summary: Equal<ParticipantSummaryResource, client.ParticipantSummary>;
  participant: Equal<AdminParticipantResource, client.AdminParticipant>;
  participants: Equal<AdminParticipantListResource, client.AdminParticipantList>;
  prepared: Equal<PreparedBranchResource, client.PreparedBranch>;
  row: Equal<TransactionRowResource, client.TransactionRow>;
  list: Equal<AdminTransactionListResource, client.AdminTransactionList>;
  query: Equal<keyof AdminListQuery, keyof client.AdminListRequest>;
  explanation: Equal<ExplanationResource, client.Explanation>;
  offered: Equal<OfferedActionResource, client.OfferedAction>;
  branch: Equal<AdminBranchResource, client.AdminBranch>;
  transaction: Equal<AdminTransactionResource, client.AdminTransaction>;
  request: Equal<ActionBody, client.ActionRequest>;
  result: Equal<ActionResultResource, client.ActionResult>;
  orphan: Equal<OrphanResource, client.Orphan>;
  orphans: Equal<OrphanListResource, client.AdminOrphanList>;
  orphanRequest: Equal<OrphanActionBody, client.OrphanActionRequest>;
  orphanResult: Equal<OrphanActionResultResource, client.OrphanActionResult>;
  operation: Equal<AdminOperationResource, client.AdminOperation>;
  operationRequest: Equal<keyof OperationBody, keyof client.OperationRequestBody>;
  item: Equal<OperationItemResource, client.OperationItem>;
  operationDetail: Equal<AdminOperationDetailResource, client.AdminOperationDetail>;
  operations: Equal<AdminOperationListResource, client.AdminOperationList>;
  audit: Equal<AuditEntryResource, client.AuditEntry>;
  auditPage: Equal<AuditPageResource, client.AuditPage>;
  check: Equal<CheckResource, client.Check>;
  doctor: Equal<AdminDoctorResource, client.AdminDoctor>;
  event: Fits<AdminEvent, client.AdminEvent>;
  eventBack: Fits<client.AdminEvent['type'], AdminEvent['type']>;
  publicTransaction: Fits<TransactionResource, client.Transaction>;
  publicBranch: Fits<z.infer<typeof BranchResource>, client.BranchState>;
}

describe('The admin API', () => {
  it('is the contract, field by field', () => {
    const compared: { [K in keyof Compared]: Compared[K] & true } = {
      session: true,
      overview: true,
      summary: true,
      participant: true,
      participants: true,
      prepared: true,
      row: true,
      list: true,
      query: true,
      explanation: true,
      offered: true,
      branch: true,
      transaction: true,
      request: true,
      result: true,
      orphan: true,
      orphans: true,
      orphanRequest: true,
      orphanResult: true,
      operation: true,
      operationRequest: true,
      item: true,
      operationDetail: true,
      operations: true,
      audit: true,
      auditPage: true,
      check: true,
      doctor: true,
      event: true,
      eventBack: true,
      publicTransaction: true,
      publicBranch: true,
    };
    expect(Object.values(compared).every(Boolean)).toBe(true);
  });

  it('distinguishes shapes that differ in anything but readonly', () => {
    const told: [
      Equal<{ a: string }, { a?: string }>,
      Equal<{ a: 'x' }, { a: 'y' }>,
      Equal<{ a: string[] }, { a: number[] }>,
      Equal<{ a: { b: 1 } }, { a: { b: 1; c?: 2 } }>,
      Equal<{ a: string }, { readonly a: string }>,
      Equal<{ a: 'x' | 'y' }, { a: client.Open<'x' | 'y'> }>,
    ] = [false, false, false, false, true, true];
    expect(told).toHaveLength(6);
  });
});
