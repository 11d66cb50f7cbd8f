/**
 * Health that is true: alive while the process answers, ready only while transactions can use
 * this instance (broker, cluster and primary all there), with the reasons if not.
 */
import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { ParticipantHost, type Readiness } from '@concordat/participant';

@Controller()
export class HealthController {
  constructor(private readonly host: ParticipantHost) {}

  @Get('livez')
  live(): { status: string } {
    return { status: 'alive' };
  }

  @Get('readyz')
  async ready(): Promise<Readiness> {
    const readiness = await this.host.readiness();
    if (!readiness.ready) throw new ServiceUnavailableException(readiness);
    return readiness;
  }
}
