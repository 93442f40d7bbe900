// `show sys config status`: what each daemon runs, and what it could not apply.

import { expectEnd } from '../arguments.ts';
import { renderPages } from '../show.ts';
import type { Phrase } from '../verb.ts';

export const showSysConfigStatus: Phrase = {
  words: ['sys', 'config', 'status'],
  help: 'What each daemon runs, and what it could not apply.',
  async *run({ scanner, backend }) {
    expectEnd(scanner);
    yield* renderPages('Sys::Config', () => Promise.resolve(backend.status()));
  },
};
