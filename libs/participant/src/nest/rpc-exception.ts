/**
 * Nest's exception for messages, without loading `@nestjs/microservices`, which a service without
 * messages does not have. Guards "an HTTP-only service joins": the package is loaded when a message has
 * to be answered, and then the service has loaded it before.
 */
import type { RpcException } from '@nestjs/microservices';

/** By its name and shape: a service may have loaded another copy of the class than this library would. */
export function isRpcException(error: unknown): error is RpcException {
  if (
    !(error instanceof Error) ||
    typeof (error as Partial<RpcException>).getError !== 'function'
  ) {
    return false;
  }
  let type: object | null = Object.getPrototypeOf(error) as object;
  while (type && type.constructor.name !== 'RpcException') {
    type = Object.getPrototypeOf(type) as object | null;
  }
  return type !== null;
}

/** An RpcException, for Nest's transport to send. */
export async function rpcException(problem: object): Promise<RpcException> {
  const { RpcException: Exception } = await import('@nestjs/microservices');
  return new Exception(problem);
}
