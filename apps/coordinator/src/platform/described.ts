/**
 * What routes say of themselves for the API's documentation: the decorators of `@nestjs/swagger`, taken down
 * where they are written and applied when the documentation is first asked for. Guards the start: a
 * coordinator is ready without what only explains it, a quarter of all that it would load
 * ([ADR 55](../../../../docs/adr/0055-a-start-loads-what-it-needs.md)).
 */
import type * as swagger from '@nestjs/swagger';

type Swagger = typeof swagger;
type Name =
  | 'ApiBearerAuth'
  | 'ApiBody'
  | 'ApiHeader'
  | 'ApiOperation'
  | 'ApiParam'
  | 'ApiProduces'
  | 'ApiResponse'
  | 'ApiTags';
type Applied = (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => unknown;

/** In the order in which they were written, which is the order in which decorators apply. */
const notes: ((from: Swagger) => void)[] = [];

/** A decorator of that name, for classes and their methods. */
function later<N extends Name>(name: N) {
  return (...given: Parameters<Swagger[N]>): ClassDecorator & MethodDecorator => {
    const note: Applied = (...where) => {
      notes.push((from) => {
        const make = from[name] as (...given: Parameters<Swagger[N]>) => Applied;
        make(...given)(...where);
      });
    };
    return note as ClassDecorator & MethodDecorator;
  };
}

export const ApiBearerAuth = later('ApiBearerAuth');
export const ApiBody = later('ApiBody');
export const ApiHeader = later('ApiHeader');
export const ApiOperation = later('ApiOperation');
export const ApiParam = later('ApiParam');
export const ApiProduces = later('ApiProduces');
export const ApiResponse = later('ApiResponse');
export const ApiTags = later('ApiTags');

/** Loads `@nestjs/swagger`, and applies to every route that is loaded by now what it says of itself. */
export async function described(): Promise<Swagger> {
  const from = await import('@nestjs/swagger');
  for (const note of notes.splice(0)) note(from);
  return from;
}
