// The site: every page under docs/, and the pages of the root that they lead to. Guards "what is read here is
// what is in the repository": nothing is copied, a link that leads to no page fails the build, and nothing
// is loaded from another host.

import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { diagramOf, makeGraphs } from './diagrams.mjs';
import { anchorOf } from './anchors.mjs';
import { sidebar } from './sidebar.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ROOT_PAGES = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples/README.md'];
const graphs = await makeGraphs();

export default defineConfig({
  title: 'Concordat',
  description: 'Two-phase commit for services that each own a Postgres database, as a REST call',
  srcDir: root,
  srcExclude: ['!(docs|examples)/**/*.md', '.*/**', 'README.md'],
  rewrites: { 'docs/:page*': ':page*' },
  outDir: fileURLToPath(new URL('dist', import.meta.url)),
  cacheDir: fileURLToPath(new URL('cache', import.meta.url)),
  cleanUrls: false,
  metaChunk: true,
  markdown: {
    html: false,
    anchor: { slugify: anchorOf },
    config: (md) => {
      followTheRepository(md);
      drawDiagrams(md);
    },
  },
  themeConfig: {
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [
      { text: 'Quick start', link: '/quick-start' },
      { text: 'Concepts', link: '/concepts' },
      { text: 'REST guide', link: '/rest-guide' },
      { text: 'Runbooks', link: '/runbooks' },
    ],
  },
  vite: { logLevel: 'warn' },
});

/**
 * Links are written as they hold in the repository. Here, one to a page leads to its place in the site, and one to
 * a file that is no page says which file it is, and leads nowhere.
 */
function followTheRepository(md) {
  md.core.ruler.push('repository-links', ({ tokens, env }) => {
    for (const { children } of tokens) {
      let open = false;
      for (const token of children ?? []) {
        if (token.type === 'link_open') open = !follow(token, env.realPath ?? env.path);
        if (token.type === 'link_close' && open) {
          Object.assign(token, { type: 'file_close', tag: 'span' });
          open = false;
        }
      }
    }
  });
}

/** False where it is no link any more. */
function follow(token, page) {
  const href = token.attrGet('href');
  if (!page || /^([a-z]+:|#|\/)/.test(href)) return true;
  const [path, hash] = href.split('#');
  const file = relative(root, resolve(dirname(page), decodeURI(path)));
  if (ROOT_PAGES.includes(file) || /^docs\/.*\.md$/.test(file)) {
    const place = file.replace(/^docs\//, '').replace(/\.md$/, '');
    token.attrSet('href', `/${place}${hash === undefined ? '' : `#${hash}`}`);
    return true;
  }
  if (!existsSync(join(root, file))) return true; // The build fails, and says which link it is.
  Object.assign(token, { type: 'file_open', tag: 'span', attrs: [['title', file]] });
  token.attrJoin('class', 'repository-file');
  return false;
}

/** State diagrams are drawn when the site is built; where they cannot be, their text is shown. */
function drawDiagrams(md) {
  const usual = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    const drawn = info.trim() === 'mermaid' ? diagramOf(content, graphs) : undefined;
    return drawn
      ? `<figure class="diagram" v-pre>${drawn}</figure>`
      : usual(tokens, index, ...rest);
  };
}
