/**
 * `/problems`: what the `type` of every problem leads to. Guards "types resolve": the page is the
 * catalogue itself, so a code without an entry cannot exist. Static text only, no script.
 */
import { Controller, Get, Header } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '../platform/described.js';
import { Open } from '../access/access.decorators.js';
import { PROBLEMS } from '../problems/problem.js';

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const entries = Object.entries(PROBLEMS).map(
  ([code, [status, title, meaning]]) =>
    `<h2 id="${code}">${escape(title)}</h2><p><code>${code}</code>, status ${status}</p><p>${escape(meaning)}</p>`,
);

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Problems</title><h1>Problems</h1>${entries.join('')}</html>`;

@ApiTags('documentation')
@Open()
@Controller('problems')
export class ProblemsController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  @ApiProduces('text/html')
  @ApiOperation({ operationId: 'problems', summary: 'All problem codes and what they mean' })
  @ApiResponse({ status: 200, description: 'a page' })
  list(): string {
    return page;
  }
}
