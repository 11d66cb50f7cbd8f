/**
 * What is served besides the API: the files of the admin view, and the API's documentation, by Express below
 * paths of their own. Guards the rest of the surface: only a look below these paths gets here, and what no
 * file answers for goes on to the API, which says what it serves.
 */
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { serveAdminView } from './admin/view/admin-view.js';
import type { ClientOf, Handler } from './requests/node-server.js';

const VIEW = /^\/(admin(\/|$)|$)/i;
const DOCS = /^\/(docs(\/|$)|openapi\.)/i;

/** The admin view in this folder. */
export function adminViewFiles(folder: string): Handler {
  const files = bare();
  serveAdminView(files, folder);
  return looksBelow(VIEW, files);
}

/** The documentation of the application's routes. */
export function documentationFiles(app: INestApplication, document: OpenAPIObject): Handler {
  const files = bare();
  const shown = Object.create(app, {
    getHttpAdapter: { value: () => files },
    useStaticAssets: { value: files.useStaticAssets.bind(files) },
  }) as INestApplication;
  SwaggerModule.setup('docs', shown, document, {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'Concordat coordinator',
  });
  return looksBelow(DOCS, files);
}

/** What such files fail with, in the words of Nest's exceptions. */
export function fileErrors(): (error: unknown) => unknown {
  const adapter = bare();
  return (error) => adapter.mapException(error);
}

/**
 * Whom a request stands for: the peer, or whom a chain of trusted proxies says that it speaks for, as far as
 * each one of them is trusted. Undefined where no proxy is.
 */
export function clientBehind(trustedProxies: readonly string[]): ClientOf {
  if (trustedProxies.length === 0) return () => undefined;
  const settings = bare();
  settings.set('trust proxy', [...trustedProxies]);
  const isTrusted = settings.getInstance().get('trust proxy fn') as (
    address: string,
    index: number,
  ) => boolean;
  return ({ socket, headers }) => {
    const header = headers['x-forwarded-for'];
    const chain = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',');
    const told = chain.map((one) => one.trim()).filter((one) => one !== '');
    const addresses = [socket.remoteAddress ?? '', ...told.reverse()];
    const last = addresses.length - 1;
    return addresses.find((one, index) => index === last || !isTrusted(one, index));
  };
}

function bare(): ExpressAdapter {
  const adapter = new ExpressAdapter();
  adapter.disable('x-powered-by');
  adapter.set('etag', false); // Ours say what changed; a hash of the bytes would change with the time.
  return adapter;
}

function looksBelow(paths: RegExp, files: ExpressAdapter): Handler {
  const serve = files.getInstance() as Handler;
  return (request, response, next) => {
    const isLook = request.method === 'GET' || request.method === 'HEAD';
    if (isLook && paths.test(request.path)) return serve(request, response, next);
    next();
    return undefined;
  };
}
