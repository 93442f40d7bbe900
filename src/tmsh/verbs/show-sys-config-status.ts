// `show sys config status`: what each daemon runs.

import { readOptions } from '../options.ts';
import { renderPages } from '../show.ts';
import type { OptionWord, Phrase } from '../verb.ts';

const OPTIONS: readonly OptionWord[] = [
  { word: 'wait', help: 'Not before every daemon runs the configuration, or ten seconds have passed.' },
];

/** For scripts that go on with traffic: far longer than a daemon takes for the largest change. */
const PATIENCE_MS = 10_000;

export const showSysConfigStatus: Phrase = {
  words: ['sys', 'config', 'status'],
  help: 'What each daemon runs, and what it could not apply.',
  options: OPTIONS,
  async *run({ scanner, backend }) {
    const isPatient = readOptions(scanner, 'show sys config status', OPTIONS).has('wait');
    yield* renderPages('Sys::Config', () => backend.status(isPatient ? PATIENCE_MS : undefined));
  },
};
