/**
 * The HTTP surface around the routes: headers, body limits, documentation. Guards the limits of the
 * REST API before any controller sees a request: media type, size, no decompression, depth.
 */
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import helmet from 'helmet';
import { serveAdminView } from './admin/view/admin-view.js';
import type { CoordinatorConfig } from './coordinator.config.js';
import { openApiDocument } from './openapi/openapi-document.js';
import { readJson } from './requests/json-body.js';
import { RouteTable } from './requests/route-table.js';

/** Everything on the application that is not a module. Call once, before it listens. */
export function dressHttp(
  app: NestExpressApplication,
  config: Pick<CoordinatorConfig, 'bodyBytesMax' | 'adminDir'>,
): void {
  app.disable('x-powered-by');
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
      strictTransportSecurity: false, // Whoever terminates TLS in front says so.
    }),
  );
  serveAdminView(app, config.adminDir);
  app.use(readJson({ bytesMax: config.bodyBytesMax }));
  const document = openApiDocument(app);
  app.get(RouteTable).learn(document);
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Concordat coordinator',
  });
}
