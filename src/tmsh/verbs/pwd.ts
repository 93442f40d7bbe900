// `pwd`: the folder that bare names belong to.

import { expectEnd } from '../arguments.ts';
import type { Verb } from '../verb.ts';

export const pwd: Verb = {
  name: 'pwd',
  help: 'Print the folder that bare names belong to.',
  changes: false,
  phrases: [
    {
      words: [],
      help: 'Print the folder.',
      // eslint-disable-next-line @typescript-eslint/require-await
      async *run({ scanner, session }) {
        expectEnd(scanner);
        yield `${session.folder}\n`;
      },
    },
  ],
};
