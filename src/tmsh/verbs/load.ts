// `load sys config`: a file becomes the running configuration, or a part of it.

import { replaceGroup } from '../../config/group-text.ts';
import { loadText } from '../../config/load-text.ts';
import { ConfigError, ConfigSyntaxError, formatPosition } from '../../core/errors.ts';
import { PARTITIONS, readOptions } from '../options.ts';
import type { OptionWord, Verb } from '../verb.ts';
import { warningLines } from '../warnings.ts';
import { loadGtmZone } from './load-gtm-zone.ts';
import { readRollback } from './load-rollback.ts';
import { loadSysConfigDefault } from './load-sys-config-default.ts';

const OPTIONS: readonly OptionWord[] = [
  { word: 'file', help: 'Another file than the own one.', value: { kind: 'file', help: 'a file name' } },
  { word: 'rollback', help: 'A version of the history.', value: { kind: 'number', help: 'the number of a version' } },
  { word: 'from-terminal', help: 'What is typed or pasted next, up to Ctrl-D, or what standard input holds.' },
  { word: 'group', help: 'Only what a DNS synchronisation group shares: all of that is replaced, and the rest stays.' },
  { word: 'merge', help: 'Add to what runs instead of taking its place.' },
  PARTITIONS,
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
      async *run({ scanner, backend, input }) {
        const options = readOptions(scanner, 'load sys config', OPTIONS);
        const [isMerge, isVerify] = [options.has('merge'), options.has('verify')];
        const file = options.get('file');
        const rollback = options.get('rollback');
        const isTyped = options.has('from-terminal');
        const sources = ['file', 'rollback', 'from-terminal'].filter((word) => options.has(word));
        if (sources.length > 1) {
          const what = `${sources.join(' and ')} exclude each other`;
          throw new ConfigSyntaxError(what, scanner.endPosition(), 'Leave one out.');
        }
        if (options.has('group') && (isMerge || sources.length === 0 || rollback !== undefined)) {
          const hint = 'Write load sys config file FILE group.';
          throw new ConfigSyntaxError('group goes with file or from-terminal alone', scanner.endPosition(), hint);
        }
        const read = () => (rollback === undefined ? backend.read(file) : readRollback(backend, rollback));
        const { path, text } = isTyped ? typedText(input) : await read();
        yield `${isVerify ? 'Validating' : 'Loading'} configuration...\n  ${path}\n`;
        const before = backend.configuration;
        const loaded = options.has('group')
          ? replaceGroup(text, before, path)
          : loadText(text, before, { file: path, ...(isMerge ? { mergeInto: before } : {}) });
        if (!isVerify) backend.commit(loaded);
        if (!isVerify && !isMerge && sources.length === 0) backend.noteLoaded(text);
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
    loadGtmZone,
  ],
};

/** The text that came with the command; positions call it `terminal`. Throws a ConfigError when none did. */
function typedText(input: string | undefined): { path: string; text: string } {
  if (input !== undefined) return { path: 'terminal', text: input };
  throw new ConfigError('configuration', 'load sys config from-terminal has no text: whoever sends it reads that.', {
    hint: 'Type it into wideplane tmsh by itself.',
  });
}
