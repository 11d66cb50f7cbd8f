/**
 * The OpenAPI document, made from the routes and their schemas. Guards "generated truth is committed
 * and diffed": `openapi.json` beside the package is this document, and a spec fails when it is stale.
 */
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';

const DESCRIPTION = `Two-phase commit across services that each own a database, as a REST call.

A commit that ends in abort is **409** with the cause, never 200. **Decided** means durable: it will
happen. **Completed** means that every branch has acknowledged. Errors are RFC 9457 problems with a
stable \`code\`; \`/problems\` lists them.`;

export function openApiDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Concordat coordinator')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'an API key' })
    .build();
  return SwaggerModule.createDocument(app, config);
}
