/** Whether a coordinator answers, in the form that `@nestjs/terminus` expects. */
import { ConcordatClient } from '@concordat/client';
import { Inject, Injectable } from '@nestjs/common';

/** A result of terminus' `HealthIndicatorResult`. */
export type HealthResult<Key extends string> = Record<
  Key,
  { status: 'up' | 'down' } & Record<string, unknown>
>;

@Injectable()
export class ConcordatHealthIndicator {
  constructor(@Inject(ConcordatClient) private readonly client: ConcordatClient) {}

  /**
   * For `health.check([() => this.concordat.isHealthy('concordat')])`. Never rejects: `down`, and why, where
   * no coordinator answers in time.
   */
  async isHealthy<Key extends string>(key: Key): Promise<HealthResult<Key>> {
    const said = (one: HealthResult<string>[string]): HealthResult<Key> => {
      const result: unknown = { [key]: one };
      return result as HealthResult<Key>;
    };
    try {
      const { clusterId } = await this.client.cluster();
      return said({ status: 'up', cluster: clusterId });
    } catch (error) {
      return said({
        status: 'down',
        message: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
