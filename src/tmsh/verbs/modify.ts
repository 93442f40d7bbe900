// `modify`: properties of objects, by name or by wildcard.

import { ConfigSyntaxError } from '../../core/errors.ts';
import { resolveNames } from '../arguments.ts';
import { readObject } from '../read-object.ts';
import { stage } from '../stage.ts';
import type { Verb } from '../verb.ts';
import { modifyTransaction } from './cli-transaction.ts';

export const modify: Verb = {
  name: 'modify',
  help: 'Change properties of objects.',
  changes: true,
  objects: {
    names: 'many',
    properties: 'edit',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *run(command) {
      const { scanner } = command;
      const { folder } = command.session;
      const { type, name: token, count, extras, editsIn } = readObject(command);
      if (count === 0) {
        throw new ConfigSyntaxError('one or more properties must be specified', scanner.endPosition());
      }
      yield* stage(command, (transaction) => {
        const edits = editsIn(transaction);
        const names = token === undefined ? [''] : resolveNames(transaction, type, token, folder);
        for (const name of names) {
          transaction.modify(type, name, edits, undefined, token?.position);
          transaction.keepExtras(type, name, extras);
        }
      });
    },
  },
  phrases: [modifyTransaction],
};
