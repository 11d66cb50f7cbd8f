/**
 * The OpenAPI document, made from the routes and their schemas. Guards "generated truth is committed
 * and diffed": `openapi.json` beside the package is this document, and a spec fails when it is stale.
 */
import type { INestApplication } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { described } from '../platform/described.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

const DESCRIPTION = `Two-phase commit across services that each own a database, as a REST call.

A commit that ends in abort is **409** with the cause, never 200. **Decided** means durable: it will
happen. **Completed** means that every branch has acknowledged. Errors are RFC 9457 problems with a
stable \`code\`; \`/problems\` lists them.`;

export async function openApiDocument(app: INestApplication): Promise<OpenAPIObject> {
  const { DocumentBuilder, SwaggerModule } = await described();
  const config = new DocumentBuilder()
    .setTitle('Concordat coordinator')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'an API key' })
    .build();
  const document = SwaggerModule.createDocument(app, config);
  for (const operation of operationsOf(document)) {
    for (const [status, response] of Object.entries(operation.responses)) {
      if (status >= '4') asProblem(response);
    }
  }
  return document;
}

function operationsOf(document: OpenAPIObject): Operation[] {
  return Object.values(document.paths).flatMap((item) =>
    METHODS.flatMap((method) => item[method] ?? []),
  );
}

/** Every error is a problem document, also where the framework wrote it down as plain JSON. */
function asProblem(response: Operation['responses'][string]): void {
  if (!response || !('content' in response) || !response.content?.['application/json']) return;
  response.content = { 'application/problem+json': response.content['application/json'] };
}
