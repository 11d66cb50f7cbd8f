/** For what watches over the process: ready while transactions can use it, with the reasons if not. */
import { ParticipantHost, type Readiness } from '@concordat/participant';
import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';

@Controller()
export class HealthController {
  constructor(private readonly host: ParticipantHost) {}

  @Get('readyz')
  async ready(): Promise<Readiness> {
    const readiness = await this.host.readiness();
    if (!readiness.ready) throw new ServiceUnavailableException(readiness);
    return readiness;
  }
}
