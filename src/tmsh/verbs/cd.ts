// `cd`: the folder that bare names belong to from now on.

import { foldersOf, resolveFolder } from '../../config/folders.ts';
import { COMMON } from '../../config/name.ts';
import { ConfigError } from '../../core/errors.ts';
import { expectEnd, readWord } from '../arguments.ts';
import type { Verb } from '../verb.ts';

export const cd: Verb = {
  name: 'cd',
  help: 'Go to a folder: bare names belong to it.',
  changes: false,
  phrases: [
    {
      words: [],
      help: 'Go to a folder; to /Common without one.',
      operand: { kind: 'folder', help: 'a folder', isOptional: true },
      // eslint-disable-next-line @typescript-eslint/require-await
      async *run({ scanner, backend, session }) {
        const token = scanner.peek() === undefined ? undefined : readWord(scanner, 'a folder');
        expectEnd(scanner);
        const folder = token === undefined ? COMMON : resolveFolder(token.text, session.folder);
        const folders = foldersOf(backend.configuration);
        if (!folders.has(folder)) {
          throw new ConfigError('notFound', `The requested folder (${folder}) was not found.`, {
            value: folder,
            ...(token === undefined ? {} : { position: token.position }),
            hint: `There are: ${[...folders].sort().join(', ')}`,
          });
        }
        session.folder = folder;
      },
    },
  ],
};
