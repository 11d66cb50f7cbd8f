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

/** What a schema has to complain about, on its way to a problem. */
class Complaints extends Error {
  constructor(readonly issues: Issues) {
    super('a schema complains');
  }
}

class UnstrippedSchemaPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues: Issues) => new Complaints(issues) });
  }

  protected override stripProtoKeys(): void {
    // Nothing is dropped: see above.
  }
}

@Injectable()
export class StrictSchemaPipe implements PipeTransform {
  private readonly pipe = new UnstrippedSchemaPipe();

  async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    try {
      return await this.pipe.transform(value, metadata);
    } catch (error) {
      if (!(error instanceof Complaints)) throw error;
      throw schemaProblem(error.issues, metadata.type, metadata.schema);
    }
  }
}
