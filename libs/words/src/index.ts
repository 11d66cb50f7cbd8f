/** Words for people: durations, locks, counts, lists, instants, near names and complaints of schemas. */
export { complaintText } from './complaint.js';
export { DURATION_FORMS, durationText, parseDurationMs, shortDurationText } from './duration.js';
export { sessionWords, thingWords, type Locked, type Session } from './locks.js';
export { nearest } from './near.js';
export { outliveReaders, type Output } from './output.js';
export { counted, instantText, listed, quoted, shortly } from './words.js';
export { ignoredText, strangeVariables, VARIABLES, type StrangeVariables } from './variables.js';
