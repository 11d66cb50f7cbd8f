/** One process with a participant for each ORM that is named. ORM_URLS: the database of each, as JSON. */
interface Service {
  participant(): { start(): Promise<unknown>; ready(): Promise<void>; stop(): Promise<void> };
  close(): Promise<unknown>;
}

const urls = JSON.parse(process.env['ORM_URLS'] ?? '{}') as Record<string, string>;
const running: { service: Service; participant: ReturnType<Service['participant']> }[] = [];

for (const [orm, url] of Object.entries(urls)) {
  process.env['DATABASE_URL'] = url;
  process.env['PARTICIPANT_NAME'] = `stock-${orm}`;
  const service = (await import(`./${orm}.js`)) as Service;
  const participant = service.participant();
  running.push({ service, participant });
  await participant.start();
}
await Promise.all(running.map(({ participant }) => participant.ready()));
process.stdout.write('every stock is ready\n');

process.once('SIGTERM', () => {
  const stopping = running.map(async ({ service, participant }) => {
    await participant.stop();
    await service.close();
  });
  void Promise.all(stopping).then(() => process.exit(0));
});
