// `show sys config unknown`: what of the configuration is kept and saved, but has no effect.

import { placeOf, unknownEntries } from '../../config/unknown-entries.ts';
import type { ShowReply } from '../../ipc/schema.ts';
import { expectEnd } from '../arguments.ts';
import { renderPages } from '../show.ts';
import type { Phrase } from '../verb.ts';

export const showSysConfigUnknown: Phrase = {
  words: ['sys', 'config', 'unknown'],
  help: 'What is kept and saved, but has no effect in this version.',
  async *run({ scanner, backend }) {
    expectEnd(scanner);
    const rows = [...unknownEntries(backend.configuration)].map(({ type, name, property, position, reason }) => [
      type,
      name,
      property ?? '',
      placeOf(position),
      reason,
    ]);
    const table = { columns: ['Type', 'Name', 'Property', 'Place', 'Why'], rows };
    const reply: ShowReply = { rows: rows.length === 0 ? [] : [{ name: '', table }] };
    yield* renderPages('Sys::Config unknown', () => Promise.resolve(reply));
  },
};
