/**
 * The HTTP surface around the routes: headers, time-outs, body limits, documentation. Guards the limits
 * of the REST API before any controller sees a request: whose body is read, media type, size, time, no
 * decompression, depth.
 */
import type { INestApplication } from '@nestjs/common';
import helmet from 'helmet';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { AdminSessions } from './access/admin-sessions.js';
import { BodyAllowance } from './access/body-allowance.js';
import { KeyRing } from './access/key-ring.js';
import type { CoordinatorConfig } from './platform/coordinator.config.js';
import { Identity } from './platform/identity.js';
import { Readiness } from './health/readiness.js';
import { BodyBudget } from './requests/body-budget.js';
import { readJson } from './requests/json-body.js';
import type { ServedFiles } from './served-files.js';

/** A body of the largest size that takes longer comes at less than 35 kB a second. */
const DELIVER_MS = 30_000;
/** Headers of the next request may begin as late as this connection is kept, and then take so long. */
const HEADERS_MARGIN_MS = 5_000;

/** Everything on the application that is not a module. Call once, before it listens. */
export function dressHttp(
  app: INestApplication,
  config: Pick<CoordinatorConfig, 'bodyBytesMax' | 'adminDir' | 'keepAliveMs'>,
  files: ServedFiles,
): void {
  keepConnections(app.getHttpServer() as Server, config.keepAliveMs);
  const security = securityHeaders();
  app.use((_: unknown, response: ServerResponse, next: () => void) => {
    for (const [name, value] of security) response.setHeader(name, value);
    next();
  });
  const readiness = app.get(Readiness);
  app.use((_: unknown, response: ServerResponse, next: () => void) => {
    // Who keeps connections in a pool opens the next one elsewhere.
    if (readiness.isLeaving) response.setHeader('Connection', 'close');
    next();
  });
  app.use(files.view(config.adminDir));
  const allowance = new BodyAllowance(
    app.get(KeyRing),
    app.get(AdminSessions),
    config.bodyBytesMax,
  );
  const allowanceOf = allowance.of.bind(allowance);
  const budget = app.get(BodyBudget);
  const { clock } = app.get(Identity);
  app.use(readJson({ allowanceOf, budget, deliverMs: DELIVER_MS, clock }));
  app.use(files.documentation(app));
}

/** What helmet sets, which is the same for every answer: it is asked once. */
function securityHeaders(): readonly (readonly [name: string, value: string])[] {
  const headers: [string, string][] = [];
  const response = {
    setHeader: (name: string, value: string) => headers.push([name, value]),
    removeHeader: () => undefined, // Nothing is set that it takes away.
  };
  const set = helmet({
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"], // The documentation page brings its own.
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        upgradeInsecureRequests: null, // Plain HTTP on loopback is the default.
      },
    },
    strictTransportSecurity: false, // Set by the proxy that terminates TLS.
  });
  let isSet = false;
  set({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error !== undefined) throw error as Error;
    isSet = true;
  });
  if (!isSet) throw new Error('helmet needs more than a moment: its headers depend on requests');
  return headers;
}

/**
 * Idle connections outlive those in the pools of proxies, so that it is never us who close one while a
 * request is on its way; what is begun and does not go on ends all the same.
 */
function keepConnections(server: Server, keepAliveMs: number): void {
  server.keepAliveTimeout = keepAliveMs;
  server.headersTimeout = keepAliveMs + HEADERS_MARGIN_MS;
  server.requestTimeout = server.headersTimeout + DELIVER_MS;
}
