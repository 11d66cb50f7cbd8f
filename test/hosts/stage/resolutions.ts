/** Every way in which TypeScript and Node find a package, each as a service may have it set. */
import type { Host } from './host.js';

const USES = `
import { Operation, Participant, ParticipantModule } from '@concordat/participant';
import { createParticipant, VoteNo, type Branch } from '@concordat/participant/standalone';
import { ConcordatClient } from '@concordat/client';

type IsAny<Type> = 0 extends 1 & Type ? true : false;

@Participant()
export class Notes {
  @Operation('write')
  async write(input: { id: string }, branch: Branch): Promise<{ id: string }> {
    const { rowCount } = await branch.client.query('SELECT');
    const isAny: IsAny<typeof rowCount> = false;
    if (rowCount === 0) throw new VoteNo('NONE', { isAny });
    return input;
  }
}
export const module = ParticipantModule.forRoot({ name: 'a', natsUrl: 'b', database: { url: 'c' } });
export const participant = createParticipant({
  name: 'a',
  natsUrl: 'b',
  database: { url: 'c' },
  operations: [{ name: 'write', run: (input: { readonly id: string }) => input.id.length }],
});
export const client = new ConcordatClient({ url: 'a', apiKey: 'b' });
`;

interface Way {
  readonly file: string;
  readonly flags: readonly string[];
}

/** The one that has least in common with a service's own build, which is another. */
export const MAIN_WAYS: readonly Way[] = [
  { file: 'uses.ts', flags: ['--module', 'commonjs', '--moduleResolution', 'node10'] },
];

export const ALL_WAYS: readonly Way[] = [
  ...MAIN_WAYS,
  { file: 'uses.cts', flags: ['--module', 'node16'] },
  { file: 'uses.ts', flags: ['--module', 'esnext', '--moduleResolution', 'bundler'] },
  { file: 'uses.mts', flags: ['--module', 'node16'] },
  { file: 'uses.cts', flags: ['--module', 'node18'] },
  { file: 'uses.cts', flags: ['--module', 'nodenext'] },
  { file: 'uses.mts', flags: ['--module', 'nodenext'] },
];

/** Compiles a file that uses the packages, strictly. Rejects with what the compiler says. */
export async function compileIn(ways: readonly Way[], host: Host): Promise<void> {
  const usual = '--noEmit --strict --skipLibCheck --experimentalDecorators --target es2022';
  for (const { file } of ways) host.write(`ways/${file}`, USES);
  const compile = ({ file, flags }: Way) =>
    host.bin('tsc', ...usual.split(' '), '--types', 'node', ...flags, `ways/${file}`);
  await Promise.all(ways.map(compile));
}

/** A program that loads every entry by `import` and by `require`, and prints what is not the same. */
export function loadBoth(entries: readonly string[], first: 'import' | 'require'): string {
  return `
    require('reflect-metadata');
    const entries = ${JSON.stringify(entries)};
    const ways = {
      require: () => entries.map((entry) => require(entry)),
      import: () => Promise.all(entries.map((entry) => import(entry))),
    };
    (async () => {
      const before = await ways['${first}']();
      const after = await ways['${first === 'import' ? 'require' : 'import'}']();
      const named = (one) => Object.keys(one).filter((name) => /^[A-Za-z]/.test(name));
      const differ = before.flatMap((one, i) =>
        named(one).filter((name) => name !== 'default' && one[name] !== after[i][name]),
      );
      console.log(JSON.stringify({ seen: before.map((one) => named(one).length > 3), differ }));
    })();
  `;
}
