/**
 * The HTTP surface around the routes: headers, time-outs, body limits, documentation. Guards the limits
 * of the REST API before any controller sees a request: whose body is read, media type, size, time, no
 * decompression, depth.
 */
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import helmet from 'helmet';
import type { Server, ServerResponse } from 'node:http';
import { AdminSessions } from './access/admin-sessions.js';
import { BodyAllowance } from './access/body-allowance.js';
import { KeyRing } from './access/key-ring.js';
import { serveAdminView } from './admin/view/admin-view.js';
import type { CoordinatorConfig } from './platform/coordinator.config.js';
import { Readiness } from './health/readiness.js';
import { openApiDocument } from './openapi/openapi-document.js';
import { BodyBudget } from './requests/body-budget.js';
import { readJson } from './requests/json-body.js';
import { RouteTable } from './requests/route-table.js';

/** A body of the largest size that takes longer comes at less than 35 kB a second. */
const DELIVER_MS = 30_000;
/** Headers of the next request may begin as late as this connection is kept, and then take so long. */
const HEADERS_MARGIN_MS = 5_000;

/** Everything on the application that is not a module. Call once, before it listens. */
export function dressHttp(
  app: NestExpressApplication,
  config: Pick<CoordinatorConfig, 'bodyBytesMax' | 'adminDir' | 'keepAliveMs' | 'trustedProxies'>,
): void {
  keepConnections(app.getHttpServer() as Server, config.keepAliveMs);
  app.disable('x-powered-by');
  if (config.trustedProxies.length > 0) app.set('trust proxy', [...config.trustedProxies]);
  app.set('etag', false); // Ours say what changed; a hash of the bytes would change with the time.
  app.use(
    helmet({
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
    }),
  );
  serveAdminView(app, config.adminDir);
  const allowance = new BodyAllowance(
    app.get(KeyRing),
    app.get(AdminSessions),
    config.bodyBytesMax,
  );
  const allowanceOf = allowance.of.bind(allowance);
  app.use(readJson({ allowanceOf, budget: app.get(BodyBudget), deliverMs: DELIVER_MS }));
  const readiness = app.get(Readiness);
  app.use((_: unknown, response: ServerResponse, next: () => void) => {
    // Who keeps connections in a pool opens the next one elsewhere.
    if (readiness.isLeaving) response.setHeader('Connection', 'close');
    next();
  });
  const document = openApiDocument(app);
  app.get(RouteTable).learn(document);
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Concordat coordinator',
  });
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
