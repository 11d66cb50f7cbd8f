/**
 * What a reader has chosen for this browser: theme and time zone of instants. Kept in local storage, and
 * nothing else is: no key, no data.
 */
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import type { ClockZone } from '../wording/format.js';

export type Theme = 'auto' | 'light' | 'dark';

interface Chosen {
  readonly theme: Theme;
  readonly zone: ClockZone;
}

interface Settings extends Chosen {
  choose(next: Partial<Chosen>): void;
}

const KEY = 'concordat.view';
const DEFAULTS: Chosen = { theme: 'auto', zone: 'utc' };

const Context = createContext<Settings>({ ...DEFAULTS, choose: () => undefined });
export const useSettings = (): Settings => useContext(Context);

export function SettingsProvider({ children }: { readonly children: ReactNode }) {
  const [chosen, setChosen] = useState(readChosen);
  useEffect(() => {
    document.documentElement.dataset.theme = chosen.theme;
    try {
      localStorage.setItem(KEY, JSON.stringify(chosen));
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  }, [chosen]);
  const settings = useMemo<Settings>(
    () => ({ ...chosen, choose: (next) => setChosen((before) => ({ ...before, ...next })) }),
    [chosen],
  );
  return <Context value={settings}>{children}</Context>;
}

function readChosen(): Chosen {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Chosen>;
    return {
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : 'auto',
      zone: kept.zone === 'local' ? 'local' : 'utc',
    };
  } catch {
    return DEFAULTS;
  }
}
