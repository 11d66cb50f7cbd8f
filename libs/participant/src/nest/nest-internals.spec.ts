/** What is written down of Nest's internals is what the installed Nest has. */
import 'reflect-metadata';
import { jest } from '@jest/globals';
import * as common from '@nestjs/common/internal';
import { ContextIdFactory } from '@nestjs/core';
import * as internals from './nest-internals.js';

describe('What is known of Nest’s internals', () => {
  it('is the keys and numbers of the installed Nest, all of them', () => {
    const { RouteParamtypes } = internals;
    const keys = Object.entries(internals).filter(([, value]) => typeof value === 'string');
    expect(keys.length).toBe(6);
    for (const [name, key] of keys) expect([name, key]).toEqual([name, Reflect.get(common, name)]);
    const numbers = Object.entries(common.RouteParamtypes).filter(([key]) => !/^\d+$/.test(key));
    expect(RouteParamtypes).toEqual(Object.fromEntries(numbers));
  });

  it('lets Nest find the context of a request again, whatever strategy a service has', () => {
    const attach = jest.fn<() => never>();
    const { strategy } = ContextIdFactory as unknown as { strategy: unknown };
    ContextIdFactory.apply({ attach });
    try {
      const [request, context] = [{}, ContextIdFactory.create()];
      internals.rememberContext(request, context);
      expect(ContextIdFactory.getByRequest(request)).toBe(context);
      expect(Object.keys(request)).toEqual([]);
      expect(attach).not.toHaveBeenCalled();
    } finally {
      Object.assign(ContextIdFactory, { strategy });
    }
  });
});
