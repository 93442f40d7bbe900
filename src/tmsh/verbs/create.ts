// `create`: a new object, or a transaction for several changes.

import type { AnyObjectType } from '../../config/object-type.ts';
import type { Token } from '../../config/scanner.ts';
import { ConfigError } from '../../core/errors.ts';
import { isPattern, nameIn } from '../arguments.ts';
import { readObject } from '../read-object.ts';
import { stage } from '../stage.ts';
import type { Verb } from '../verb.ts';
import { createTransaction } from './cli-transaction.ts';

export const create: Verb = {
  name: 'create',
  help: 'Make a new object.',
  changes: true,
  objects: {
    accepts: (type) => type.naming !== 'singleton' && type.companionOf === undefined && type.isFixed !== true,
    names: 'new',
    properties: 'edit',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *run(command) {
      const { type, name, extras, editsIn } = readObject(command);
      if (name !== undefined && meansOthers(type, name.text)) throw meansSeveral(type, name);
      yield* stage(command, (transaction) => {
        const path = nameIn(transaction, type, name?.text ?? '', command.session.folder);
        transaction.create(type, path, editsIn(transaction), name?.position);
        transaction.keepExtras(type, path, extras);
      });
    },
  },
  phrases: [createTransaction],
};

function meansOthers({ hasWildcardNames }: AnyObjectType, word: string): boolean {
  return hasWildcardNames === true ? word === 'all' : isPattern(word);
}

/** A file may have an object of such a name; here nobody could name it alone. */
function meansSeveral(type: AnyObjectType, { text, position }: Token): ConfigError {
  return new ConfigError(
    'configuration',
    `"${text}" is not a valid ${type.label} name: it stands for several objects.`,
    {
      value: text,
      position,
      hint: 'Choose a name that is not all and has no star.',
    },
  );
}
