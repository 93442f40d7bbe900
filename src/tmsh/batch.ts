// Changes that wait to be made together: `create cli transaction` … `submit cli transaction`.

import { ConfigErrors, Transaction } from '../config/transaction.ts';
import type { Committed } from '../config/transaction.ts';
import type { Configuration } from '../config/configuration.ts';
import { ConfigError } from '../core/errors.ts';

/** What a command does in a transaction. Throws a ConfigError. */
export type Change = (transaction: Transaction) => void;

export type Batch = { readonly changes: { readonly text: string; readonly change: Change }[]; characters: number };

/** The text that waits for one session at most: as much as a message holds, many times. */
export const MAX_BATCH_CHARACTERS = 16 * 1024 * 1024;

export function emptyBatch(): Batch {
  return { changes: [], characters: 0 };
}

/** What errors call the next command of the batch. */
export function placeInBatch(batch: Batch): string {
  return `command ${batch.changes.length + 1}`;
}

/** Throws a ConfigError when there is no room. */
export function addToBatch(batch: Batch, text: string, change: Change): void {
  if (batch.characters + text.length > MAX_BATCH_CHARACTERS) {
    const hint = 'Submit it, and go on with another one.';
    throw new ConfigError('configuration', `a transaction holds ${MAX_BATCH_CHARACTERS} characters at most.`, { hint });
  }
  batch.changes.push({ text, change });
  batch.characters += text.length;
}

/** Makes all changes on a copy. Throws ConfigErrors, all that are found. */
export function finishBatch(batch: Batch, before: Configuration): Committed {
  const transaction = new Transaction(before);
  const errors: ConfigErrors['errors'][number][] = [];
  for (const { change } of batch.changes) {
    try {
      change(transaction);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  }
  try {
    const committed = transaction.finish();
    if (errors.length === 0) return committed;
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    errors.push(...error.errors);
  }
  throw new ConfigErrors(errors);
}
