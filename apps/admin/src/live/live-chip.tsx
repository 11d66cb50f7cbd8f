/**
 * Says how fresh the page is, and pauses or resumes it. Guards "stale is said, never guessed".
 */
import { instant } from '../wording/format.js';
import { useSettings } from '../layout/settings.js';
import { FRESHNESS_WORDS } from './freshness.js';
import { useLive } from './live.js';

export function LiveChip() {
  const { freshness, lastHeardMs, setPaused } = useLive();
  const { zone } = useSettings();
  const { word, means } = FRESHNESS_WORDS[freshness];
  const paused = freshness === 'paused';
  const heard = instant(new Date(lastHeardMs).toISOString(), { zone, nowMs: lastHeardMs });
  return (
    <button
      type="button"
      className={`chip chip-${freshness}`}
      title={`${means} Last answer ${heard}. Click to ${paused ? 'resume' : 'pause'}.`}
      aria-pressed={paused}
      onClick={() => setPaused(!paused)}
    >
      <span className="chip-dot" aria-hidden="true" />
      <span role="status">
        {word}
        {freshness === 'stale' ? ` since ${heard}` : ''}
      </span>
      <span className="visually-hidden">: {paused ? 'resume' : 'pause'} updates</span>
    </button>
  );
}
