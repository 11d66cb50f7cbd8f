/** Where this service finds what it needs: the only file that reads environment variables. */
import { z } from 'zod';

const Environment = z.object({
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'is not an address like postgres://…'),
  NATS_URL: z.string().regex(/^(nats|tls):\/\//, 'is not an address like nats://127.0.0.1:7401'),
  CONCORDAT_URL: z.url(),
  CONCORDAT_API_KEY: z.string().min(1),
  PORT: z.coerce.number().int().min(0).max(65_535).default(7414),
});

export type Config = z.infer<typeof Environment>;

/** Throws with everything that is missing or wrong, by the name of the variable. */
export function readConfig(): Config {
  const read = Environment.safeParse(process.env);
  if (read.success) return read.data;
  const faults = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`set the environment of this service:\n${faults.join('\n')}`);
}
