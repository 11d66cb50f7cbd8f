/**
 * Nest on Node's own HTTP server: middleware in the order in which it is given, then the route, or the
 * problem of a path that none serves. Guards "one way in": whatever comes passes the same middleware, guards,
 * pipes and filters. What it is instead of Express for: a framework in between cost more than everything that
 * is done with a request here ([ADR 44](../../../../docs/adr/0044-nodes-own-server.md)).
 *
 * Requests and responses are Node's own, so what a controller does with them is what Node does.
 */
import { BadRequestException } from '@nestjs/common';
import { AbstractHttpAdapter } from '@nestjs/core';
import { createServer, IncomingMessage, ServerResponse, type Server } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import { Routes } from './routes.js';

export type Next = (error?: unknown) => void;
export type Handler = (request: Asked, response: ServerResponse, next: Next) => unknown;
type ErrorHandler = (
  error: unknown,
  request: Asked,
  response: ServerResponse,
  next: Next,
) => unknown;

/** The client that a request stands for, behind proxies that are trusted; undefined where none is. */
export type ClientOf = (request: IncomingMessage) => string | undefined;

/** A request with what Nest reads of it. */
export class Asked extends IncomingMessage {
  declare body?: unknown;
  declare params: Readonly<Record<string, string>>;
  /** The address without its query. */
  declare path: string;
  declare clientOf: ClientOf;
  private queried?: unknown;

  get ip(): string | undefined {
    return this.clientOf(this);
  }

  get query(): unknown {
    return (this.queried ??= parseQuery(this.search));
  }

  get originalUrl(): string {
    return this.url ?? '/';
  }

  private get search(): string {
    const { url = '' } = this;
    const at = url.indexOf('?');
    return at < 0 ? '' : url.slice(at + 1);
  }
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'] as const;

const nothing: Next = () => undefined;

export class NodeServer extends AbstractHttpAdapter<Server, Asked, ServerResponse> {
  private readonly routes: Routes<Handler>;
  private readonly middleware: Handler[] = [];
  private notFound: Handler = (_, response) => void response.writeHead(404).end();
  private failed: ErrorHandler = (_error, _request, response) => void response.destroy();

  /** `translate`: errors of middleware, as Nest's filters know them. */
  constructor(
    private readonly clientOf: ClientOf,
    private readonly translate: (error: unknown) => unknown,
  ) {
    const routes = new Routes<Handler>();
    super(
      Object.fromEntries(
        METHODS.map((name) => {
          const method = name.toUpperCase();
          return [name, (path: string, handler: Handler) => routes.add(method, path, handler)];
        }),
      ),
    );
    this.routes = routes;
  }

  /** Adds what every request passes before its route. */
  override use(handler: Handler): void {
    this.middleware.push(handler);
  }

  override initHttpServer(): void {
    this.httpServer = createServer({ IncomingMessage: Asked }, (request, response) =>
      this.answer(request, response),
    );
  }

  override listen(...args: unknown[]): Server {
    return this.httpServer.listen(...(args as [number, string, () => void]));
  }

  override async close(): Promise<void> {
    await new Promise<void>((resolve) => this.httpServer.close(() => resolve()));
  }

  /** The methods that a path serves; empty where there is no such path. */
  methodsOf(path: string): string[] {
    return this.routes.methodsOf(path);
  }

  override setErrorHandler(handler: unknown): void {
    this.failed = handler as ErrorHandler;
  }

  override setNotFoundHandler(handler: unknown): void {
    this.notFound = handler as Handler;
  }

  override mapException(error: unknown): unknown {
    return this.translate(error);
  }

  override reply(response: ServerResponse, body: unknown, status?: number): void {
    if (status !== undefined) response.statusCode = status;
    const { req: request } = response;
    if (isSame(request, response)) response.statusCode = 304;
    if (response.statusCode === 304 || response.statusCode === 204) {
      for (const name of ['Content-Type', 'Content-Length']) response.removeHeader(name);
      response.end();
      return;
    }
    if (body === undefined || body === null) {
      response.end();
      return;
    }
    const isText = typeof body === 'string';
    const text = isText ? body : JSON.stringify(body);
    if (!response.hasHeader('Content-Type')) {
      const type = isText ? 'text/plain' : 'application/json';
      response.setHeader('Content-Type', `${type}; charset=utf-8`);
    }
    response.setHeader('Content-Length', Buffer.byteLength(text));
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  override status(response: ServerResponse, status: number): void {
    response.statusCode = status;
  }

  override end(response: ServerResponse, message?: string): void {
    response.end(message);
  }

  override isHeadersSent(response: ServerResponse): boolean {
    return response.headersSent;
  }

  override getHeader(response: ServerResponse, name: string): unknown {
    return response.getHeader(name);
  }

  override setHeader(response: ServerResponse, name: string, value: string): void {
    response.setHeader(name, value);
  }

  override appendHeader(response: ServerResponse, name: string, value: string): void {
    response.appendHeader(name, value);
  }

  override getRequestHostname({ headers }: Asked): string {
    return headers.host ?? '';
  }

  override getRequestMethod({ method }: Asked): string {
    return method ?? 'GET';
  }

  override getRequestUrl({ originalUrl }: Asked): string {
    return originalUrl;
  }

  override getType(): string {
    return 'node';
  }

  override applyVersionFilter(handler: unknown): never {
    return handler as never; // Versions are in paths.
  }

  override redirect(): never {
    throw notServed('redirects');
  }

  override render(): never {
    throw notServed('views');
  }

  override setViewEngine(): never {
    throw notServed('views');
  }

  override useStaticAssets(): never {
    throw notServed('files');
  }

  override enableCors(): never {
    throw notServed('other origins');
  }

  override registerParserMiddleware(): never {
    throw notServed('other parsers of bodies');
  }

  override createMiddlewareFactory(): never {
    throw notServed('middleware of modules');
  }

  private answer(request: Asked, response: ServerResponse): void {
    request.path = pathOf(request.url ?? '/');
    request.clientOf = this.clientOf;
    this.step(0, request, response);
  }

  private step(index: number, request: Asked, response: ServerResponse): void {
    const middleware = this.middleware[index];
    if (!middleware) return this.route(request, response);
    let isPassed = false;
    const next: Next = (error) => {
      if (isPassed) return;
      isPassed = true;
      if (error !== undefined && error !== null) this.fail(error, request, response);
      else this.step(index + 1, request, response);
    };
    this.run(middleware, request, response, next);
  }

  private route(request: Asked, response: ServerResponse): void {
    let handler = this.notFound;
    request.params = {};
    try {
      const found = this.routes.find(request.method ?? 'GET', request.path);
      if (found) ({ handler, params: request.params } = found);
    } catch (error) {
      const cause =
        error instanceof URIError ? new BadRequestException('path', { cause: error }) : error;
      return this.fail(cause, request, response);
    }
    this.run(handler, request, response, nothing);
  }

  private run(handler: Handler, request: Asked, response: ServerResponse, next: Next): void {
    try {
      const running = handler(request, response, next);
      if (running instanceof Promise) {
        running.catch((error: unknown) => this.fail(error, request, response));
      }
    } catch (error) {
      this.fail(error, request, response);
    }
  }

  private fail(error: unknown, request: Asked, response: ServerResponse): void {
    // What fails to tell a failure can only end the connection.
    const cut = (): void => void response.destroy();
    try {
      const telling = this.failed(error, request, response, nothing);
      if (telling instanceof Promise) telling.catch(cut);
    } catch {
      cut();
    }
  }
}

/** The path of an address; a proxy may send all of it. */
function pathOf(url: string): string {
  const at = url.indexOf('?');
  const address = at < 0 ? url : url.slice(0, at);
  if (address.startsWith('/') || !URL.canParse(address)) return address;
  return new URL(address).pathname;
}

/** Whether the client has it already (RFC 9110 §13.1.2), of what would be shown. */
function isSame({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
  const asked = headers['if-none-match'];
  if (asked === undefined || (method !== 'GET' && method !== 'HEAD')) return false;
  if (response.statusCode !== 200 || /\bno-cache\b/.test(headers['cache-control'] ?? ''))
    return false;
  const tag = response.getHeader('ETag');
  if (typeof tag !== 'string') return false;
  const weak = (one: string): string => one.trim().replace(/^W\//, '');
  return asked.split(',').some((one) => one.trim() === '*' || weak(one) === weak(tag));
}

function notServed(what: string): Error {
  return new Error(`the coordinator's server has no ${what}`);
}
