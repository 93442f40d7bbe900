// `list sys config history`: the versions that `load sys config rollback` takes.

import { expectEnd } from '../arguments.ts';
import { renderPages } from '../show.ts';
import type { Phrase } from '../verb.ts';

export const listSysConfigHistory: Phrase = {
  words: ['sys', 'config', 'history'],
  help: 'Versions of the own file that saves have replaced; load sys config rollback takes their numbers.',
  async *run({ scanner, backend }) {
    expectEnd(scanner);
    yield* renderPages('Sys::Config History', () => Promise.resolve(backend.history()));
  },
};
