/**
 * Serves the built admin view below `/admin/`. Guards the browser: nothing but the view's own files may
 * load, run or frame anything, and a file's name with a hash in it is the only thing that is kept for
 * long. Needs no key: the files hold nothing; everything they show comes from the API.
 */
import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import type { ExpressAdapter } from '@nestjs/platform-express';

const CSP = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `img-src 'self' data:`,
  `connect-src 'self'`,
  `font-src 'self'`,
  `base-uri 'none'`,
  `form-action 'self'`,
  `frame-ancestors 'none'`,
].join('; ');

const HASHED = /[/\\]assets[/\\][^/\\]+-[\w-]{8,}\.\w+$/;

const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Concordat</title>
<h1>The admin view has not been built</h1>
<p>This coordinator runs; only the pages are missing. In the repository, build them with
<code>node apps/admin/build.mjs</code> and reload, or say where they are in <code>CONCORDAT_ADMIN_DIR</code>.
The API is at <a href="/docs">/docs</a>, and the command line shows most of it: <code>concordat stuck</code>.</p>
</html>
`;

type Next = (error?: unknown) => void;
type Request = IncomingMessage & { readonly path: string };

export function serveAdminView(app: ExpressAdapter, folder: string): void {
  const index = join(folder, 'index.html');
  app.use('/', (request: Request, response: ServerResponse, next: Next) => {
    if (!isRead(request)) return next();
    if (request.path === '/' || request.path === '/admin') return redirect(response, '/admin/');
    next();
  });
  app.use('/admin', (request: Request, response: ServerResponse, next: Next) => {
    if (!isRead(request)) return next();
    response.setHeader('Content-Security-Policy', CSP);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('Cache-Control', 'no-cache');
    if (!existsSync(index)) return page(request, response, 503, NOT_BUILT);
    // An address of the view itself, which it reads when it is loaded: its pages have no files.
    if (extname(request.path) === '') (request as { url?: string }).url = '/index.html';
    next();
  });
  app.useStaticAssets(folder, {
    prefix: '/admin',
    redirect: false,
    index: false,
    setHeaders: (response: ServerResponse, path: string) => {
      if (!HASHED.test(path)) return;
      response.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
    },
  });
  // What no file answers for must not fall through to the API's routes.
  app.use('/admin', (request: Request, response: ServerResponse, next: Next) => {
    if (isRead(request)) page(request, response, 404, 'There is no such file.\n');
    else next();
  });
}

function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

function redirect(response: ServerResponse, to: string): void {
  response.writeHead(302, { Location: to, 'Cache-Control': 'no-cache' }).end();
}

function page(request: Request, response: ServerResponse, status: number, text: string): void {
  const type = text.startsWith('<') ? 'text/html' : 'text/plain';
  response.writeHead(status, {
    'Content-Type': `${type}; charset=utf-8`,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}
