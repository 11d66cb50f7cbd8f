/** Who may do what, and the audit of what was done: the guard is in front of every route. */
import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ApiKeyGuard } from './api-key.guard.js';
import { Audited } from './audited.js';

@Module({
  providers: [{ provide: APP_GUARD, useClass: ApiKeyGuard }, Audited],
  exports: [Audited],
})
export class AccessModule {}
