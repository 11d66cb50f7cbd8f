/** Floor 1: the engine. Imports the protocol only; performs its steps through the ports. */
export * from './ports/index.js';
