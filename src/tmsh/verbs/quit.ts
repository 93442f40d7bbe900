// `quit` and `exit`: the end of a session, which is whoever types to end it; here they only have to be right.

import { expectEnd } from '../arguments.ts';
import type { Verb } from '../verb.ts';

function leave(name: string): Verb {
  return {
    name,
    help: 'Leave the shell.',
    changes: false,
    phrases: [
      {
        words: [],
        help: 'Leave the shell.',
        // eslint-disable-next-line @typescript-eslint/require-await
        async *run({ scanner }) {
          expectEnd(scanner);
        },
      },
    ],
  };
}

export const quit = leave('quit');
export const exit = leave('exit');
