// Makes the change of one command: at once, or with the others of an open cli transaction.

import { Transaction } from '../config/transaction.ts';
import { addToBatch } from './batch.ts';
import type { Change } from './batch.ts';
import type { Command } from './verb.ts';
import { warningLines } from './warnings.ts';

/** Throws a ConfigError or ConfigErrors. */
export function* stage({ text, backend, session }: Command, change: Change): Generator<string> {
  if (session.batch !== undefined) {
    addToBatch(session.batch, { text, folder: session.folder, change });
    return;
  }
  const transaction = new Transaction(backend.configuration);
  change(transaction);
  const committed = transaction.finish();
  backend.commit(committed);
  yield* warningLines(committed.warnings);
}
