/**
 * What is served besides the API: the files of the admin view, and the API's documentation, by Express below
 * paths of their own. Guards the rest of the surface: only a look below these paths gets here, and what no
 * file answers for goes on to the API, which says what it serves. Guards the start too: Express and what makes the
 * documentation are loaded when the first of these files is asked for, and not before.
 */
import type { INestApplication } from '@nestjs/common';
import type { ExpressAdapter } from '@nestjs/platform-express';
import { serveAdminView } from './admin/view/admin-view.js';
import { openApiDocument } from './openapi/openapi-document.js';
import { described } from './platform/described.js';
import type { ClientOf, Handler } from './requests/node-server.js';

const VIEW = /^\/(admin(\/|$)|$)/i;
const DOCS = /^\/(docs(\/|$)|openapi\.)/i;

export class ServedFiles {
  private express?: ExpressAdapter;

  /** The admin view in this folder. */
  view(folder: string): Handler {
    return this.below(VIEW, (files) => serveAdminView(files, folder));
  }

  /** The documentation of the application's routes. */
  documentation(app: INestApplication): Handler {
    return this.below(DOCS, async (files) => {
      const { SwaggerModule } = await described();
      const shown = Object.create(app, {
        getHttpAdapter: { value: () => files },
        useStaticAssets: { value: files.useStaticAssets.bind(files) },
      }) as INestApplication;
      SwaggerModule.setup('docs', shown, await openApiDocument(app), {
        jsonDocumentUrl: 'openapi.json',
        yamlDocumentUrl: 'openapi.yaml',
        customSiteTitle: 'Concordat coordinator',
      });
    });
  }

  /** What such files fail with, in the words of Nest's exceptions; before the first look no file fails. */
  readonly errors = (error: unknown): unknown =>
    this.express ? this.express.mapException(error) : error;

  /** Only a look below these paths gets there; the first one loads what serves it. */
  private below(paths: RegExp, prepare: (files: ExpressAdapter) => unknown): Handler {
    let serving: Promise<Handler> | undefined;
    return (request, response, next) => {
      const isLook = request.method === 'GET' || request.method === 'HEAD';
      if (!isLook || !paths.test(request.path)) return next();
      serving ??= this.load(prepare).catch((error: unknown) => {
        serving = undefined; // The next look tries again.
        throw error;
      });
      return serving.then((serve) => serve(request, response, next));
    };
  }

  private async load(prepare: (files: ExpressAdapter) => unknown): Promise<Handler> {
    const files = await bare();
    await prepare(files);
    this.express = files;
    return files.getInstance() as Handler;
  }
}

/**
 * Whom a request stands for: the peer, or whom a chain of trusted proxies says that it speaks for, as far as
 * each one of them is trusted. Undefined where no proxy is.
 */
export async function clientBehind(trustedProxies: readonly string[]): Promise<ClientOf> {
  if (trustedProxies.length === 0) return () => undefined;
  const settings = await bare();
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

async function bare(): Promise<ExpressAdapter> {
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const adapter = new ExpressAdapter();
  adapter.disable('x-powered-by');
  adapter.set('etag', false); // Ours say what changed; a hash of the bytes would change with the time.
  return adapter;
}
