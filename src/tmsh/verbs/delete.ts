// `delete`: objects by name, several in braces, by wildcard, or all that can be deleted.

import { isBuiltIn } from '../../config/configuration.ts';
import { expectEnd, isPattern, readNames, readType, resolveNames } from '../arguments.ts';
import { stage } from '../stage.ts';
import type { Verb } from '../verb.ts';
import { deleteTransaction } from './cli-transaction.ts';
import { deleteGtmPersist } from './gtm-persist.ts';
import { deleteIpsecSa } from './ipsec-sa.ts';

export const remove: Verb = {
  name: 'delete',
  help: 'Take objects away.',
  changes: true,
  objects: {
    names: 'many',
    properties: 'none',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *run(command) {
      const { scanner } = command;
      const { folder } = command.session;
      const type = readType(scanner);
      const tokens = type.naming === 'singleton' ? [] : readNames(scanner, type);
      expectEnd(scanner);
      yield* stage(command, (transaction) => {
        if (type.naming === 'singleton') transaction.delete(type, '');
        for (const token of tokens) {
          for (const name of resolveNames(transaction, type, token, folder)) {
            if (!isPattern(token.text) || !isBuiltIn(type, name)) transaction.delete(type, name, token.position);
          }
        }
      });
    },
  },
  phrases: [deleteTransaction, deleteIpsecSa, deleteGtmPersist],
};
