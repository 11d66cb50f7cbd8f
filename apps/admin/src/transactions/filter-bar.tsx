/**
 * Saved views and the text query. Guards "nothing is dropped silently": a word that is not understood is
 * named beside the field, and the list stays as it was.
 */
import { useId, useState, type SyntheticEvent } from 'react';
import { Link } from 'wouter';
import { addressOf, formatQuery, parseQuery, type ListFilter } from './query.js';
import { DEFAULT_VIEW, SAVED_VIEWS } from './saved-views.js';

const SORTS = [
  { sort: 'harm', name: 'Most harm first' },
  { sort: 'oldest', name: 'Oldest first' },
  { sort: 'newest', name: 'Newest first' },
] as const;

export function FilterBar({
  filter,
  onChange,
}: {
  readonly filter: ListFilter;
  readonly onChange: (next: ListFilter) => void;
}) {
  const usual = filter.view === 'all' || filter.view === 'recent-aborts' ? 'newest' : 'harm';
  return (
    <div className="filters">
      <nav aria-label="Saved views">
        <ul className="tabs">
          {SAVED_VIEWS.map(({ view, name }) => (
            <li key={view}>
              <Link
                href={addressOf({ ...filter, view, sort: undefined })}
                aria-current={view === filter.view ? 'page' : undefined}
              >
                {name}
              </Link>
            </li>
          ))}
          <li>
            <Link href="/orphans">Orphans</Link>
          </li>
        </ul>
      </nav>
      <QueryField filter={filter} onChange={onChange} />
      <label className="sort">
        <span className="visually-hidden">Order</span>
        <select
          className="input"
          value={filter.sort ?? usual}
          onChange={(event) => {
            const sort = event.target.value as ListFilter['sort'];
            onChange({ ...filter, sort: sort === usual ? undefined : sort });
          }}
        >
          {SORTS.map(({ sort, name }) => (
            <option key={sort} value={sort}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function QueryField({
  filter,
  onChange,
}: {
  readonly filter: ListFilter;
  readonly onChange: (next: ListFilter) => void;
}) {
  const shown = formatQuery({ ...filter, sort: undefined });
  const [text, setText] = useState(shown);
  const [misunderstood, setMisunderstood] = useState<readonly string[]>([]);
  const says = useId();
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const parsed = parseQuery(text);
    setMisunderstood(parsed.misunderstood);
    if (parsed.misunderstood.length > 0) return;
    onChange({ sort: filter.sort, ...parsed.filter, view: filter.view ?? DEFAULT_VIEW });
  };
  return (
    <form className="query" role="search" onSubmit={submit}>
      <input
        className="input"
        type="search"
        data-command="search"
        aria-label="Search transactions"
        aria-describedby={says}
        placeholder="participant:inventory  age:>5m  label:transfer  or an id"
        spellCheck={false}
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <kbd className="query-key" aria-hidden="true">
        /
      </kbd>
      {shown === '' ? null : (
        <button
          type="button"
          className="button button-quiet"
          onClick={() => onChange({ view: filter.view, sort: filter.sort })}
        >
          Clear
        </button>
      )}
      <p id={says} className="query-says" role="status">
        {misunderstood.join(' ')}
      </p>
    </form>
  );
}
