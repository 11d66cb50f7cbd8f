/** What every request passes: its schema on the way in, and the problem document on the way out. */
import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { NoParametersGuard } from './no-parameters.guard.js';
import { ProblemFilter } from './problem.filter.js';
import { StrictSchemaPipe } from './strict-schema.pipe.js';

@Module({
  providers: [
    { provide: APP_GUARD, useClass: NoParametersGuard },
    { provide: APP_PIPE, useClass: StrictSchemaPipe },
    { provide: APP_FILTER, useClass: ProblemFilter },
  ],
})
export class RequestsModule {}
