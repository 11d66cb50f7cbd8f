/**
 * Nest's standard-schema pipe with two changes. Guards "what a client sent is what a participant
 * gets": the framework's pipe would silently drop members named `constructor` or `prototype` from an
 * operation's input, so that is off (a `__proto__` is refused before); and a failure names fields.
 */
import {
  Injectable,
  StandardSchemaValidationPipe,
  type ArgumentMetadata,
  type PipeTransform,
} from '@nestjs/common';
import { schemaProblem, type Issues } from '../problems/schema-problem.js';

class UnstrippedSchemaPipe extends StandardSchemaValidationPipe {
  constructor(source: ArgumentMetadata['type']) {
    super({ exceptionFactory: (issues: Issues) => schemaProblem(issues, source) });
  }

  protected override stripProtoKeys(): void {
    // Nothing is dropped: see above.
  }
}

@Injectable()
export class StrictSchemaPipe implements PipeTransform {
  readonly #pipes = {
    body: new UnstrippedSchemaPipe('body'),
    query: new UnstrippedSchemaPipe('query'),
    param: new UnstrippedSchemaPipe('param'),
    custom: new UnstrippedSchemaPipe('custom'),
  };

  async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    return this.#pipes[metadata.type].transform(value, metadata);
  }
}
