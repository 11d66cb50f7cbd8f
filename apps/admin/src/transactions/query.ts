/**
 * The text query and the address, both ways: `status:committing participant:inventory age:>5m 0f3c`.
 * Guards "an address is a view": a copied address opens the same list; and "nothing is
 * dropped silently": what is not understood is named, with what would be.
 */
import { parseDurationMs } from '@concordat/words';
import type { AdminListRequest, AdminView } from '@concordat/client';
import { DEFAULT_VIEW, SAVED_VIEWS } from './saved-views.js';

export type ListFilter = Omit<AdminListRequest, 'limit' | 'cursor'>;

export interface ParsedQuery {
  readonly filter: Omit<ListFilter, 'view'>;
  /** One sentence per word that was not understood. */
  readonly misunderstood: readonly string[];
}

type Field = 'status' | 'participant' | 'label' | 'principal' | 'olderThan' | 'sort' | 'q';

const NAMES: Readonly<Record<string, Field>> = {
  state: 'status',
  status: 'status',
  participant: 'participant',
  label: 'label',
  principal: 'principal',
  by: 'principal',
  age: 'olderThan',
  older: 'olderThan',
  sort: 'sort',
  id: 'q',
};
const WORDS: Readonly<Record<Exclude<Field, 'q'>, string>> = {
  status: 'status',
  participant: 'participant',
  label: 'label',
  principal: 'by',
  olderThan: 'age',
  sort: 'sort',
};
const SORTS = ['harm', 'newest', 'oldest'];

export function parseQuery(text: string): ParsedQuery {
  const filter: Partial<Record<Field, string>> = {};
  const misunderstood: string[] = [];
  for (const word of wordsOf(text)) {
    const colon = word.indexOf(':');
    const name = colon > 0 ? NAMES[word.slice(0, colon).toLowerCase()] : undefined;
    if (colon > 0 && !name && !/^cc:/.test(word)) {
      misunderstood.push(
        `“${word.slice(0, colon)}:” is not known. Known are status, participant, label, by, age, sort.`,
      );
      continue;
    }
    const value = name ? word.slice(colon + 1) : word;
    const field = name ?? 'q';
    const fault = take(filter, field, field === 'q' ? withoutGid(value) : value);
    if (fault) misunderstood.push(fault);
  }
  return { filter: filter as ParsedQuery['filter'], misunderstood };
}

function take(
  filter: Partial<Record<Field, string>>,
  field: Field,
  value: string,
): string | undefined {
  if (value === '') return `“${field}:” needs a value.`;
  if (filter[field] !== undefined) {
    return field === 'q'
      ? `“${value}”: one id, or the beginning of one, can be searched at a time.`
      : `“${WORDS[field]}:” is given twice; the first counts.`;
  }
  if (field === 'olderThan') {
    const age = value.replace(/^>?=?/, '');
    if (parseDurationMs(age) === undefined)
      return `“age:${value}” is not an age. Write age:>5m, age:>2h or age:>1d.`;
    filter.olderThan = age;
    return undefined;
  }
  if (field === 'sort' && !SORTS.includes(value)) {
    return `“sort:${value}” is not known. Known are ${SORTS.join(', ')}.`;
  }
  filter[field] = field === 'status' ? value.replaceAll('_', '-') : value;
  return undefined;
}

/** Words, of which `label:"two words"` is one. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return words.map((word) => word.replaceAll('"', ''));
}

/** A pasted gid names its transaction: `cc:<cluster>:<transaction>:<branch>`. */
function withoutGid(text: string): string {
  return /^cc:[a-z0-9]{8}:([^:]+)/.exec(text)?.[1] ?? text;
}

/** The text that parses to this filter. */
export function formatQuery(filter: ListFilter): string {
  const words = (Object.keys(WORDS) as Exclude<Field, 'q'>[])
    .filter((field) => filter[field] !== undefined)
    .map((field) => {
      const value = String(filter[field]);
      const shown = field === 'olderThan' ? `>${value}` : value;
      return `${WORDS[field]}:${/\s/.test(shown) ? `"${shown}"` : shown}`;
    });
  if (filter.q !== undefined) words.push(filter.q);
  return words.join(' ');
}

const PARAMS: readonly Field[] = [
  'status',
  'participant',
  'label',
  'principal',
  'olderThan',
  'q',
  'sort',
];

export function filterOfAddress(search: URLSearchParams): ListFilter {
  const asked = search.get('view');
  const view = SAVED_VIEWS.find((one) => one.view === asked)?.view ?? DEFAULT_VIEW;
  const filter: Partial<Record<Field, string>> & { view: AdminView } = { view };
  for (const name of PARAMS) {
    const value = search.get(name);
    if (value) filter[name] = value;
  }
  return filter as ListFilter;
}

export function addressOf(filter: ListFilter): string {
  const search = new URLSearchParams({ view: filter.view ?? DEFAULT_VIEW });
  for (const name of PARAMS) {
    const value = filter[name];
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  return `/transactions?${search}`;
}
