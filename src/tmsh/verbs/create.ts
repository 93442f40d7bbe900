// `create`: a new object, or a transaction for several changes.

import { nameOf } from '../../config/load-text.ts';
import { readObject } from '../read-object.ts';
import { stage } from '../stage.ts';
import type { Verb } from '../verb.ts';
import { createTransaction } from './cli-transaction.ts';

export const create: Verb = {
  name: 'create',
  help: 'Make a new object.',
  changes: true,
  objects: {
    accepts: (type) => type.naming !== 'singleton' && type.companionOf === undefined,
    names: 'new',
    properties: 'edit',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *run(command) {
      const { type, name, editsIn } = readObject(command);
      const path = nameOf(type, name?.text ?? '', command.session.folder);
      yield* stage(command, (transaction) => transaction.create(type, path, editsIn(transaction), name?.position));
    },
  },
  phrases: [createTransaction],
};
