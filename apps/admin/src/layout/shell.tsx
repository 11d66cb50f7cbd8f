/**
 * The frame of every page: menu, counts of what needs attention, live chip, settings. Guards "keyboard
 * alone": a skip link first, the menu next, and the focus on the page's heading after each change.
 */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { overviewQuery } from '../api/queries.js';
import { Mark } from '../elements/mark.js';
import { LiveChip } from '../live/live-chip.js';
import { useLive } from '../live/live.js';
import { useSession } from '../session/session.js';
import { count } from '../wording/format.js';
import { Account } from './account.js';
import { Keyboard } from './keyboard.js';
import { PAGES } from './pages.js';

export function Shell({ children }: { readonly children: ReactNode }) {
  const [location] = useLocation();
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const shown = useRef(location);
  useEffect(() => {
    setOpen(false);
    if (shown.current === location) return;
    shown.current = location;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [location]);
  return (
    <div className="shell">
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <header className={`side${open ? ' side-open' : ''}`}>
        <div className="side-top">
          <Link href="/" className="brand">
            <Mark />
            <span>Concordat</span>
          </Link>
          <button
            type="button"
            className="button button-quiet menu-button"
            aria-expanded={open}
            aria-controls="menu"
            onClick={() => setOpen(!open)}
          >
            Menu
          </button>
        </div>
        <div className="side-body" id="menu">
          <Menu location={location} />
          <Account />
        </div>
      </header>
      <div className="stage">
        <TopBar />
        <main id="page" ref={main} tabIndex={-1}>
          {children}
        </main>
      </div>
      <Keyboard />
    </div>
  );
}

function Menu({ location }: { readonly location: string }) {
  const { pollMs } = useLive();
  const { data } = useQuery({ ...overviewQuery, refetchInterval: pollMs });
  const counts: Readonly<Record<string, string | undefined>> = {
    // The heuristic ones are among the stuck.
    '/transactions': data && badge(data.stuck, false),
    '/orphans': data && badge(data.orphans, data.notCompared.length > 0),
    '/participants':
      data && badge(data.participants.filter((one) => one.state !== 'up').length, false),
  };
  const isCurrent = (path: string): boolean =>
    path === '/' ? location === '/' : location === path || location.startsWith(`${path}/`);
  return (
    <nav aria-label="Pages">
      <ul className="menu">
        {PAGES.map(({ path, name }) => (
          <li key={path}>
            <Link
              href={path}
              className="menu-link"
              aria-current={isCurrent(path) ? 'page' : undefined}
            >
              {name}
              {counts[path] ? (
                <span
                  className="menu-count"
                  title={counts[path] === '?' ? 'not known' : 'need attention'}
                >
                  <span aria-hidden={counts[path] === '?'}>{counts[path]}</span>
                  <span className="visually-hidden">
                    {counts[path] === '?' ? ' how many is not known' : ' need attention'}
                  </span>
                </span>
              ) : null}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** Nothing to show where it is known to be zero; a question mark where it is not known. */
function badge(value: number | undefined, isPartial: boolean): string | undefined {
  if (value === undefined) return '?';
  if (value === 0) return isPartial ? '?' : undefined;
  return isPartial ? `${count(value)}+` : count(value);
}

function TopBar() {
  const { clusterId, version } = useSession();
  return (
    <section className="topbar" aria-label="Where this is, and how fresh">
      <span className="muted topbar-cluster">
        cluster <code>{clusterId}</code> · version {version}
      </span>
      <button type="button" className="button button-small" data-command="palette">
        Go to … <kbd>Ctrl K</kbd>
      </button>
      <LiveChip />
    </section>
  );
}
