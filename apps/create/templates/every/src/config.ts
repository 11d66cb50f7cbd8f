import { z } from 'zod';

const Environment = z.object({
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'is not an address like postgres://…'),
  NATS_URL: z.string().regex(/^(nats|tls):\/\//, 'is not an address like nats://127.0.0.1:7401'),
  PORT: z.coerce.number().int().default(3000),
});

const read = Environment.safeParse(process.env);
if (!read.success) {
  throw new Error(`set the environment of this service: ${z.prettifyError(read.error)}`);
}

export const config = read.data;
