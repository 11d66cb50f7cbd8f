/** The Postgres register, held to the contract of the port on a real server. */
import { DecisionLogStage } from './decision-log-stage.js';
import { describeDecisionRegister } from './decision-register.js';

let stage: DecisionLogStage;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

describeDecisionRegister('Postgres', () => stage.harness());
