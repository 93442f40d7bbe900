// `load sys config`: a file becomes the running configuration, or a part of it.

import { loadText } from '../../config/load-text.ts';
import { ConfigSyntaxError, formatPosition } from '../../core/errors.ts';
import { readOptions } from '../options.ts';
import type { OptionWord, Verb } from '../verb.ts';
import { warningLines } from '../warnings.ts';
import { readRollback } from './load-rollback.ts';
import { loadSysConfigDefault } from './load-sys-config-default.ts';

const OPTIONS: readonly OptionWord[] = [
  { word: 'file', help: 'Another file than the own one.', value: { kind: 'file', help: 'a file name' } },
  { word: 'rollback', help: 'A version of the history.', value: { kind: 'number', help: 'the number of a version' } },
  { word: 'merge', help: 'Add to what runs instead of taking its place.' },
  { word: 'verify', help: 'Say what is wrong with it, and change nothing.' },
];

/** Warnings about what is not known: a file of a BIG-IP may hold thousands. */
const MOST_UNKNOWN = 20;

export const load: Verb = {
  name: 'load',
  help: 'Make a file the running configuration.',
  changes: true,
  phrases: [
    {
      words: ['sys', 'config'],
      help: 'Make a file the running configuration, all of it or none of it.',
      options: OPTIONS,
      async *run({ scanner, backend }) {
        const options = readOptions(scanner, 'load sys config', OPTIONS);
        const [isMerge, isVerify] = [options.has('merge'), options.has('verify')];
        const file = options.get('file');
        const rollback = options.get('rollback');
        if (file !== undefined && rollback !== undefined) {
          throw new ConfigSyntaxError('file and rollback exclude each other', scanner.endPosition(), 'Leave one out.');
        }
        const { path, text } = await (rollback === undefined ? backend.read(file) : readRollback(backend, rollback));
        yield `${isVerify ? 'Validating' : 'Loading'} configuration...\n  ${path}\n`;
        const before = backend.configuration;
        const loaded = loadText(text, before, { file: path, ...(isMerge ? { mergeInto: before } : {}) });
        if (!isVerify) backend.commit(loaded);
        if (!isVerify && !isMerge && file === undefined && rollback === undefined) backend.noteLoaded(text);
        for (const { text: what, position } of loaded.unknown.slice(0, MOST_UNKNOWN)) {
          yield `Warning: ${formatPosition(position)}: ${what}; it is kept and saved, but has no effect.\n`;
        }
        const rest = loaded.unknown.length - MOST_UNKNOWN;
        if (rest > 0) yield `Warning: ${rest} more are kept without effect: show sys config unknown\n`;
        yield* warningLines(loaded.warnings);
        if (rollback !== undefined && !isVerify) yield `Version ${rollback} runs; save sys config keeps it.\n`;
      },
    },
    loadSysConfigDefault,
  ],
};
