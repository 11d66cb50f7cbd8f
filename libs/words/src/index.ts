/** Words for people: durations, counts, lists and instants. */
export { DURATION_FORMS, parseDurationMs } from './duration.js';
export {
  counted,
  durationText,
  instantText,
  listed,
  quoted,
  shortly,
  withDurations,
} from './words.js';
