// `load gtm zone`: master files that somebody has changed are read again.

import { fullPath } from '../../config/name.ts';
import { objectKey } from '../../config/change.ts';
import { gtmZone } from '../../config/types/gtm-zone.ts';
import { ConfigError } from '../../core/errors.ts';
import { expectEnd, readWords } from '../arguments.ts';
import type { Phrase } from '../verb.ts';

export const loadGtmZone: Phrase = {
  words: ['gtm', 'zone'],
  help: 'Read the master files of zones again; one with an error leaves its zone as it is.',
  operand: { kind: 'existing', of: gtmZone.path, help: 'a zone, or all', isOptional: true },
  changes: false,
  async *run({ scanner, backend, session }) {
    const words = scanner.peek() === undefined ? [] : readWords(scanner, 'the name of a zone');
    expectEnd(scanner);
    const names = words.filter(({ text }) => text !== 'all').map(({ text }) => fullPath(text, session.folder));
    for (const name of names) {
      if (backend.configuration.objects.has(objectKey({ type: gtmZone.path, name }))) continue;
      throw new ConfigError('notFound', `The requested Zone (${name}) was not found.`, {
        hint: 'list gtm zone says which there are.',
      });
    }
    const { zones, failures } = await backend.reloadZones(names.length === 0 ? undefined : names);
    for (const { object, reason } of failures) yield `${object}: ${reason}\n`;
    yield `${zones} ${zones === 1 ? 'zone was' : 'zones were'} read, ${failures.length} with errors.\n`;
  },
};
