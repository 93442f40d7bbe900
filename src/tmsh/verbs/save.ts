// `save sys config`: the running configuration goes to a file.

import { PARTITIONS, readOptions } from '../options.ts';
import type { OptionWord, Verb } from '../verb.ts';

const OPTIONS: readonly OptionWord[] = [
  { word: 'file', help: 'Another file than the own one.', value: { kind: 'file', help: 'a file name' } },
  PARTITIONS,
];

export const save: Verb = {
  name: 'save',
  help: 'Write the running configuration to a file.',
  changes: true,
  phrases: [
    {
      words: ['sys', 'config'],
      help: 'Write the running configuration to its own file or to another one.',
      options: OPTIONS,
      async *run({ scanner, backend }) {
        const file = readOptions(scanner, 'save sys config', OPTIONS).get('file');
        yield 'Saving running configuration...\n';
        yield `  ${await backend.save(file)}\n`;
      },
    },
  ],
};
