// `load sys config default`: back to what a fresh system has. The file stays as it is until save.

import { Transaction } from '../../config/transaction.ts';
import { expectEnd } from '../arguments.ts';
import type { Phrase } from '../verb.ts';
import { warningLines } from '../warnings.ts';

export const loadSysConfigDefault: Phrase = {
  words: ['sys', 'config', 'default'],
  help: 'Go back to what a fresh system has, until save without changing the file.',
  // eslint-disable-next-line @typescript-eslint/require-await
  async *run({ scanner, backend }) {
    expectEnd(scanner);
    const committed = new Transaction(backend.configuration, true).finish();
    backend.commit(committed);
    yield 'Reset the system configuration to factory defaults.\n';
    yield* warningLines(committed.warnings);
  },
};
