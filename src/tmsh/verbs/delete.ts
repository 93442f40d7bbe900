// `delete`: objects by name, several in braces, by wildcard, or all that can be deleted.

import { isBuiltIn } from '../../config/configuration.ts';
import { Transaction } from '../../config/transaction.ts';
import { expectEnd, readType, readWords, resolveNames } from '../arguments.ts';
import type { Verb } from '../verb.ts';
import { warningLines } from '../warnings.ts';

export const remove: Verb = {
  name: 'delete',
  help: 'Take objects away.',
  changes: true,
  objects: {
    names: 'many',
    properties: 'none',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *run({ scanner, backend, session }) {
      const type = readType(scanner);
      const tokens = type.naming === 'singleton' ? [] : readWords(scanner, `a ${type.label} name`);
      expectEnd(scanner);
      const transaction = new Transaction(backend.configuration);
      if (type.naming === 'singleton') transaction.delete(type, '');
      for (const token of tokens) {
        const names = resolveNames(backend.configuration, type, token, session.folder);
        const isMany = token.text === 'all' || token.text.includes('*');
        for (const name of names) {
          if (!isMany || !isBuiltIn(type, name)) transaction.delete(type, name, token.position);
        }
      }
      const committed = transaction.finish();
      backend.commit(committed);
      yield* warningLines(committed.warnings);
    },
  },
};
