/** Each ORM in a process of its own: nothing that one loads or patches helps another. */
import { ORMS } from './stage.js';
import { showThat } from './showing.js';

describe.each(ORMS)('%s by itself, on a pool of the branch', (orm) => {
  showThat([orm]);
});
