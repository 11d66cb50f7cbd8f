/**
 * The documentation of the wire is checked like code: the JSON schemas are those of the codec, every
 * message has an example that both accept, and every message printed in docs/wire-protocol.md is one.
 */
import Ajv2020 from 'ajv/dist/2020.js';
import { decode, encode, jsonSchemas, MESSAGES, Subjects } from '@concordat/channel';
import type { ClusterId, Incarnation, InstanceId, ParticipantName } from '@concordat/protocol';
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../../docs/wire-protocol/', import.meta.url);
const page = readFileSync(new URL('../wire-protocol.md', folder), 'utf8');
const list = (name: string): string[] => readdirSync(new URL(`${name}/`, folder));
const read = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(path, folder), 'utf8')) as Record<string, unknown>;

const ajv = new Ajv2020.default({ strict: false });
const validators = new Map(
  Object.entries(jsonSchemas()).map(([type, schema]) => [type, ajv.compile(schema)]),
);
const TYPES = Object.keys(MESSAGES);

function faultOf(message: Record<string, unknown>): string | undefined {
  const type = String(message['type']);
  const validate = validators.get(type);
  const catalogued = MESSAGES[type];
  if (!validate || !catalogued) return `no message is called ${type}`;
  if (!validate(message)) return `schema of ${type}: ${ajv.errorsText(validate.errors)}`;
  const decoded = decode(catalogued.schema, encode(message));
  return decoded.ok ? undefined : `codec of ${type}: ${decoded.reason}`;
}

describe('the JSON schemas', () => {
  it('are those of the codec (else run `npm run schemas -w @concordat/channel`)', () => {
    const wanted = jsonSchemas();
    expect(list('schema').sort()).toEqual(TYPES.map((type) => `${type}.json`).sort());
    for (const type of TYPES) expect(read(`schema/${type}.json`)).toEqual(wanted[type]);
  });

  it('allow fields of the future', () => {
    for (const name of list('examples')) {
      expect(faultOf({ ...read(`examples/${name}`), someday: { a: [1] } })).toBeUndefined();
    }
  });

  it('refuse every example of which one required field is missing or of another type', () => {
    for (const name of list('examples')) {
      const example = read(`examples/${name}`);
      const type = String(example['type']);
      const required = (jsonSchemas()[type]?.['required'] ?? []) as string[];
      for (const field of required) {
        if (field === 'type') continue;
        const without = { ...example, [field]: undefined };
        delete without[field];
        const validate = validators.get(type);
        expect({ name, field, ok: validate?.(without) }).toEqual({ name, field, ok: false });
        expect({ name, field, ok: validate?.({ ...example, [field]: { no: 1 } }) }).toEqual({
          name,
          field,
          // A report is an object of the participant's own making, a body one of the REST API.
          ok: field === 'report' || (type === 'forwarded' && field === 'body'),
        });
      }
    }
  });
});

describe('the examples', () => {
  it.each(list('examples'))('%s is what its name says', (name) => {
    const example = read(`examples/${name}`);
    expect(example['type']).toBe(name.split('.')[0]);
    expect(faultOf(example)).toBeUndefined();
  });

  it('show every message at least once', () => {
    const shown = new Set(list('examples').map((name) => name.split('.')[0]));
    expect(TYPES.filter((type) => !shown.has(type))).toEqual([]);
  });
});

describe('the page', () => {
  it('prints messages that are messages', () => {
    const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) =>
      String(text).trim(),
    );
    const messages = blocks
      .flatMap((block) => (block.startsWith('{\n') ? [block] : block.split('\n')))
      .map((text) => JSON.parse(text) as Record<string, unknown>)
      .filter((one) => 'v' in one);
    expect(messages.length).toBeGreaterThan(8);
    for (const message of messages) expect(faultOf(message)).toBeUndefined();
  });

  it('has a section for every message and names every one of its fields', () => {
    for (const type of TYPES) {
      const section = page.split(/^#{3,4} /m).find((one) => one.startsWith(`\`${type}\``));
      expect({ type, section: section !== undefined }).toEqual({ type, section: true });
      const fields = Object.keys((jsonSchemas()[type]?.['properties'] ?? {}) as object);
      const common = new Set(['v', 'type', 'cluster', 'transaction', 'branch', 'participant']);
      const missing = fields.filter(
        (field) => !common.has(field) && !section?.includes(`\`${field}\``),
      );
      expect({ type, missing }).toEqual({ type, missing: [] });
    }
  });

  it('names every subject as the code builds it', () => {
    const subjects = new Subjects('<cluster>' as ClusterId);
    const own = '<incarnation>' as Incarnation;
    const asker = '<asker>' as Incarnation;
    const participant = '<participant>' as ParticipantName;
    const instance = '<instance>' as InstanceId;
    for (const subject of [
      subjects.command(participant, 'work').replace('work', '<verb>'),
      subjects.command(participant, 'work', instance).replace('work', '<verb>'),
      subjects.replyToCommand(participant, own, '<token>'),
      subjects.replyToParticipant(participant, instance, '<token>'),
      subjects.toAnyCoordinator({ participant }, 'inquire'),
      subjects.toAnyCoordinator({ participant }, 'report-heuristic'),
      subjects.toAnyCoordinator({ participant }, 'low-water-mark'),
      subjects.toIncarnation({ participant }, own, 'enlist'),
      subjects.toIncarnation({ participant }, own, 'waits'),
      subjects.toAnyCoordinator({ coordinator: asker }, 'inquire'),
      subjects.toAnyCoordinator({ coordinator: asker }, 'low-water-mark'),
      subjects.toIncarnation({ coordinator: asker }, own, 'ping'),
      subjects.toIncarnation({ coordinator: asker }, own, 'live'),
      subjects.toIncarnation({ coordinator: asker }, own, 'forward'),
      subjects.toIncarnation({ coordinator: asker }, own, 'waits-of'),
      subjects.inspectAll,
      subjects.coordinatorUp,
      subjects.replyToCoordinator(own, '<token>'),
    ]) {
      expect(page).toContain(`\`${subject.replace('concordat.<cluster>.v1.', '')}\``);
    }
  });
});
