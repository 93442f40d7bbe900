// Gives back the memory of tables that nobody has any more. V8 does not count what threads share, and so collects nothing for it:
// each thread that had a table keeps it alive until that thread happens to collect garbage, which one that answers queries never does.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Below this it is not worth the time. */
export const WORTH_COLLECTING_OCTETS = 8 * 1024 * 1024;

/** Collects the garbage of the thread that calls it: ten milliseconds for a small heap. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  try {
    (runInNewContext('gc') as () => void)();
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
