// `create`: a new object.

import { nameOf } from '../../config/load-text.ts';
import { changeObject } from '../change-object.ts';
import type { Verb } from '../verb.ts';

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
      yield* changeObject(command, (transaction, type, token, edits) => {
        transaction.create(type, nameOf(type, token?.text ?? '', command.session.folder), edits, token?.position);
      });
    },
  },
};
