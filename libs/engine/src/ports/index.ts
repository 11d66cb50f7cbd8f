/** The ports: each has a real implementation and the simulator's, and one conformance suite. */
export * from './answer.js';
export * from './clock.js';
export * from './coordinator-channel.js';
export * from './decision-register.js';
export * from './entropy.js';
export * from './journal.js';
export * from './participant-channel.js';
export * from './resource.js';
export * from './inspection.js';
export * from './reconciliation.js';
