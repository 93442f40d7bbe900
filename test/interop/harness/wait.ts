// Waiting for what another process does. A deadline is three times what the thing should take, so that a slow machine
// does not fail a test and a hang still does.

const POLL_MS = 50;

export const delay = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/**
 * Polls until `probe` returns something other than undefined and false. `seconds`: how long it should take at most.
 * Rejects with `what` and, when given, what `explain` says of the state of things.
 */
export async function waitFor<T>(
  what: string,
  seconds: number,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  explain?: () => string | Promise<string>,
): Promise<T> {
  const deadline = performance.now() + seconds * 3000;
  for (;;) {
    const asked = performance.now();
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) {
      const state = explain === undefined ? '' : `\n${await explain()}`;
      throw new Error(`${what}: not within ${seconds * 3} s${state}`);
    }
    // Whoever starts a program to ask leaves half of the processors to those that are waited for.
    await delay(Math.max(POLL_MS, Math.min(1000, performance.now() - asked)));
  }
}
