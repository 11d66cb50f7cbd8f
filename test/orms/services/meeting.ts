/** Where the operations of several branches of this process wait for one another. */
let waiting: (() => void)[] = [];

/** Resolves for all of them in the same tick, once there are so many. */
export function meet(guests: number): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length < guests) return;
    const all = waiting;
    waiting = [];
    for (const one of all) one();
  });
}
