// `modify`: properties of objects, by name or by wildcard.

import { ConfigSyntaxError } from '../../core/errors.ts';
import { resolveNames } from '../arguments.ts';
import { changeObject } from '../change-object.ts';
import type { Verb } from '../verb.ts';

export const modify: Verb = {
  name: 'modify',
  help: 'Change properties of objects.',
  changes: true,
  objects: {
    names: 'many',
    properties: 'edit',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *run(command) {
      const { scanner, backend, session } = command;
      yield* changeObject(command, (transaction, type, token, edits) => {
        if (edits.length === 0) {
          throw new ConfigSyntaxError('one or more properties must be specified', scanner.endPosition());
        }
        const names = token === undefined ? [''] : resolveNames(backend.configuration, type, token, session.folder);
        for (const name of names) transaction.modify(type, name, edits, undefined, token?.position);
      });
    },
  },
};
