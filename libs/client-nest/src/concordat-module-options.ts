/** What the module is configured with, in each of Nest's three forms. */
import type { ConcordatClientOptions } from '@concordat/client';
import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { PropagationOptions } from './propagation.js';

export interface ConcordatModuleOptions extends ConcordatClientOptions {
  /** To which services outgoing calls carry the current transaction. Nowhere unless said. */
  readonly propagate?: PropagationOptions;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<ConcordatModuleOptions>()
    .setClassMethodName('forRoot')
    .setExtras<{
      /** Whether other modules need not import it. Default true. */
      isGlobal?: boolean;
    }>({ isGlobal: true }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
    .build();
