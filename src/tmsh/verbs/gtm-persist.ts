// `show gtm persist`: where clients were sent before by wide IPs with persistence, and for how long that holds.

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
