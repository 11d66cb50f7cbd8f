/**
 * What the parameters of an operation get. Undecorated, the first is the input and the second the
 * branch; `@Payload()` and `@Body()` are the input too, with their pipes and schema, and decorators
 * made by `createParamDecorator` work. Guards "honoured or refused": a decorator that asks for what
 * no operation has is refused by name, instead of being passed over.
 */
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import { ROUTE_ARGS_METADATA, RouteParamtypes } from './nest-internals.js';

interface Parameter {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

/** Parameters as Nest keeps them, by `<type>:<index>`. */
export type OperationParameters = Readonly<Record<string, Parameter>>;

/** What Nest calls the body, over HTTP and in messages: what pipes validate unless configured otherwise. */
const INPUT = RouteParamtypes.BODY;
/** None of Nest's numbers. */
const BRANCH = 1_000;

const BUILT_IN = /^\d+:/;

/** Decorators of Nest that share a number, where the name of the number is not the decorator's. */
const DECORATORS: Readonly<Record<number, string>> = {
  [RouteParamtypes.REQUEST]: '@Req(), @Request() or @ConnectedSocket()',
  [RouteParamtypes.RESPONSE]: '@Res() or @Response()',
  [RouteParamtypes.NEXT]: '@Next()',
  [RouteParamtypes.QUERY]: '@Query()',
  [RouteParamtypes.PARAM]: '@Param()',
  [RouteParamtypes.HEADERS]: '@Headers() or @Ctx()',
  [RouteParamtypes.SESSION]: '@Session()',
  [RouteParamtypes.FILE]: '@UploadedFile()',
  [RouteParamtypes.FILES]: '@UploadedFiles() or @GrpcCall()',
  [RouteParamtypes.HOST]: '@HostParam()',
  [RouteParamtypes.IP]: '@Ip()',
  [RouteParamtypes.RAW_BODY]: '@RawBody()',
  [RouteParamtypes.ACK]: '@Ack()',
  [RouteParamtypes.COOKIES]: '@Cookies()',
  [RouteParamtypes.SIGNED_COOKIES]: '@SignedCookies()',
};

/** The parameters of a method, for Nest's external context. Throws for a decorator that cannot work. */
export function parametersOf(type: object, method: string, where: string): OperationParameters {
  const decorated = (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, method) ??
    {}) as OperationParameters;
  const taken = new Set<number>();
  for (const [key, { index }] of Object.entries(decorated)) {
    taken.add(index);
    const number = BUILT_IN.test(key) ? parseInt(key, 10) : INPUT;
    if (number === INPUT) continue;
    throw new ParticipantMisconfigured(
      `parameter ${index + 1} of ${where} is decorated with ${DECORATORS[number] ?? `a decorator of Nest’s type ${number}`}, which an operation does not have: leave the first parameter undecorated, or use @Payload(), for the input, and the second for the branch`,
    );
  }
  return {
    ...(taken.has(0) ? {} : { [`${INPUT}:0`]: { index: 0, pipes: [] } }),
    ...(taken.has(1) ? {} : { [`${BRANCH}:1`]: { index: 1, pipes: [] } }),
    ...decorated,
  };
}

/** What a parameter of this type gets from the arguments of a call: its input and its branch. */
export function exchangeKeyForValue(
  type: number,
  data: unknown,
  [input, branch]: readonly unknown[],
): unknown {
  if (type === BRANCH) return branch;
  if (typeof data !== 'string') return input;
  return (input as Readonly<Record<string, unknown>> | null | undefined)?.[data];
}
