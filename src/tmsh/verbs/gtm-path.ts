// `show gtm path` and `show gtm ldns`: how far resolvers are from datacenters.

import { expectEnd } from '../arguments.ts';
import { renderPages } from '../show.ts';
import type { Phrase } from '../verb.ts';

function phrase(component: 'path' | 'ldns', title: string, help: string): Phrase {
  const words = ['gtm', component];
  return {
    words,
    help,
    async *run({ scanner, backend, session }) {
      expectEnd(scanner);
      yield* renderPages(title, (cursor) => backend.show(words.join(' '), undefined, cursor), session.folder);
    },
  };
}

export const SHOW_GTM_PATHS: readonly Phrase[] = [
  phrase('path', 'Gtm::Path', 'How far each resolver is from each datacenter, as it was measured or said by hand.'),
  phrase('ldns', 'Gtm::LDNS', 'The resolvers to which the way was measured, and the nearest datacenter of each.'),
];
