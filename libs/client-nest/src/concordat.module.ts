/**
 * The client of a coordinator as a Nest module: `ConcordatClient` to inject, `@GlobalTransaction`, and the
 * context on outgoing calls for as long as the application lives.
 */
import { ConcordatClient } from '@concordat/client';
import { Inject, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type ConcordatModuleOptions,
} from './concordat-module-options.js';
import { begunBy } from './global-transaction.js';
import { ConcordatHealthIndicator } from './health.js';
import { propagateByFetch } from './propagation.js';

@Module({
  providers: [
    {
      provide: ConcordatClient,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: ({ propagate: _, ...options }: ConcordatModuleOptions) =>
        new ConcordatClient(options),
    },
    ConcordatHealthIndicator,
  ],
  exports: [ConcordatClient, ConcordatHealthIndicator],
})
export class ConcordatModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnModuleDestroy
{
  private readonly undo: (() => void)[] = [];

  constructor(
    @Inject(ConcordatClient) private readonly client: ConcordatClient,
    @Inject(MODULE_OPTIONS_TOKEN) private readonly options: ConcordatModuleOptions,
  ) {
    super();
  }

  onModuleInit(): void {
    this.undo.push(begunBy(this.client));
    const { propagate } = this.options;
    if (propagate) this.undo.push(propagateByFetch(propagate));
  }

  onModuleDestroy(): void {
    for (const undo of this.undo.splice(0).reverse()) undo();
  }
}
