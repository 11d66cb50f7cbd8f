/** The ports, through which the engine acts: each has a real implementation, most the simulator's too. */
export * from './answer.js';
export * from './clock.js';
export * from './coordinator-channel.js';
export * from './coordinator-list.js';
export * from './decision-register.js';
export * from './entropy.js';
export * from './history.js';
export * from './history-writer.js';
export * from './pacing.js';
export * from './participant-channel.js';
export * from './principal-marks.js';
export * from './resource.js';
export * from './inspection.js';
export * from './reconciliation.js';
export * from './waits.js';
