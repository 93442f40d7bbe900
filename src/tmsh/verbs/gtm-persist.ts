// `show gtm persist` and `delete gtm persist`: where clients were sent before by wide IPs with persistence, and for how long that
// holds.

import { expectEnd } from '../arguments.ts';
import { renderPages } from '../show.ts';
import type { Phrase } from '../verb.ts';

const WORDS = ['gtm', 'persist'];

export const showGtmPersist: Phrase = {
  words: WORDS,
  help: 'Which member wide IPs with persistence send a client to again.',
  async *run({ scanner, backend, session }) {
    expectEnd(scanner);
    yield* renderPages('Gtm::Persist', (cursor) => backend.show(WORDS.join(' '), undefined, cursor), session.folder);
  },
};

export const deleteGtmPersist: Phrase = {
  words: WORDS,
  help: 'Have wide IPs forget where clients were sent before.',
  async *run({ scanner, backend }) {
    expectEnd(scanner);
    const clients = await backend.forgetClients();
    yield `${clients} client${clients === 1 ? ' is' : 's are'} forgotten\n`;
  },
};
