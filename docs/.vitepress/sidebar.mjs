// What is where in the site. A page that is not there yet is left out; a page that is there and not named
// here fails test/fitness/site.spec.ts.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readdirSync, readFileSync } from 'node:fs';

const docs = fileURLToPath(new URL('..', import.meta.url));

const SECTIONS = [
  [
    'Start here',
    [
      ['Quick start', 'quick-start'],
      ['Concepts', 'concepts'],
      ['Glossary', 'glossary'],
      ['Topologies', 'topologies'],
    ],
  ],
  [
    'Use',
    [
      ['REST guide', 'rest-guide'],
      ['Adapters', 'adapters'],
      ['ORMs', 'adapters/README'],
      ...[
        'drizzle',
        'knex',
        'kysely',
        'mikro-orm',
        'nestjs-cls',
        'prisma',
        'sequelize',
        'typeorm',
      ].map((one) => [titleOf(`adapters/${one}`), `adapters/${one}`]),
      ['An example of three services', '../examples/README'],
      ['Wire protocol', 'wire-protocol'],
    ],
  ],
  [
    'Operate',
    [
      ['Overview', 'operating'],
      ['Deploying', 'deploy'],
      ['Configuring', 'configure'],
      ['Sizing', 'sizing'],
      ['Monitoring', 'monitor'],
      ['Runbooks', 'runbooks'],
      ['The admin view', 'admin-view'],
      ['Pictures of the admin view', 'admin-pictures'],
      ['Performance', 'performance'],
      ['Sizing', 'sizing'],
    ],
  ],
  [
    'Reference',
    [
      ['Routes', 'reference/routes'],
      ['Problems', 'reference/problems'],
      ['Command line', 'reference/command-line'],
      ['Metrics', 'reference/metrics'],
      ['Variables', 'configure'],
    ],
  ],
  [
    'How it is made',
    [
      ['Architecture', '../ARCHITECTURE'],
      ['Protocol', 'protocol'],
      ['Correctness', 'correctness'],
      ['Crash matrix', 'crash-matrix'],
      ['Named faults', 'faults'],
      ['What the tests found', 'found'],
      ['Contributing', '../CONTRIBUTING'],
      ['Changes', '../CHANGELOG'],
    ],
  ],
];

export const sidebar = [
  ...SECTIONS.map(([text, pages]) => ({
    text,
    items: pages
      .filter(([, page]) => existsSync(`${docs}${page}.md`))
      .map(([name, page]) => ({ text: name, link: `/${page.replace(/^\.\.\//, '')}` })),
  })),
  {
    text: 'Decisions',
    collapsed: true,
    items: readdirSync(`${docs}adr`)
      .sort()
      .map((file) => `adr/${file.replace(/\.md$/, '')}`)
      .map((page) => ({ text: titleOf(page), link: `/${page}` })),
  },
];

function titleOf(page) {
  const file = `${docs}${page}.md`;
  if (!existsSync(file)) return page;
  return /^# (.*)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? page;
}
