/**
 * The routes that are served, as the OpenAPI document lists them. Guards "405 is not 404": a path
 * that exists is distinguished from one that does not, from the same document that clients read.
 */
import type { OpenAPIObject } from '@nestjs/swagger';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

interface Route {
  readonly pattern: RegExp;
  readonly methods: readonly string[];
}

export class RouteTable {
  private routes: readonly Route[] = [];

  /** Learns the routes once, at start. */
  learn(document: Pick<OpenAPIObject, 'paths'>): void {
    this.routes = Object.entries(document.paths).map(([path, item]) => {
      const methods = METHODS.filter((one) => item[one]).map((one) => one.toUpperCase());
      return {
        pattern: patternOf(path),
        methods: methods.includes('GET') ? [...methods, 'HEAD'] : methods,
      };
    });
  }

  /** The methods that a path serves; empty when there is no such path. */
  methodsOf(path: string): string[] {
    const matching = this.routes.filter((route) => route.pattern.test(path));
    return [...new Set(matching.flatMap((route) => route.methods))];
  }
}

/** `/v1/transactions/{id}` as an expression; a trailing slash is the same path. */
function patternOf(path: string): RegExp {
  const literal = path.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replace(/\{[^}]+\}/g, '[^/]+')}/?$`);
}
