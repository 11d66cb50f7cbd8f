/** What a request is refused with. Guards the tests of guards: one that is let through fails them. */
import { ConcordatProblem } from '@concordat/client';

/** The problem that was answered; fails the test when something else came of it. */
export async function refusal(asked: Promise<unknown>): Promise<ConcordatProblem> {
  const thrown = await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(ConcordatProblem);
  return thrown as ConcordatProblem;
}
