// Changes that wait to be made together: `create cli transaction` … `submit cli transaction`.

import { ConfigErrors, Transaction } from '../config/transaction.ts';
import type { Committed } from '../config/transaction.ts';
import type { Configuration } from '../config/configuration.ts';
import { ConfigError } from '../core/errors.ts';

/** What a command does in a transaction. Throws a ConfigError. */
export type Change = (transaction: Transaction) => void;

export type BatchCommand = {
  /** What errors and `list cli transaction` call it; it stays when others are taken out. */
  readonly number: number;
  readonly text: string;
  /** The folder that it was typed in. */
  readonly folder: string;
  readonly change: Change;
};

export type Batch = {
  readonly commands: BatchCommand[];
  /** Of all texts together. */
  characters: number;
  /** The number of the newest command, also where that has been taken out. */
  last: number;
};

/** The text that waits for one session at most: as much as a message holds, many times. */
export const MAX_BATCH_CHARACTERS = 16 * 1024 * 1024;

export function emptyBatch(): Batch {
  return { commands: [], characters: 0, last: 0 };
}

/** What errors call the next command of the batch. */
export function placeInBatch(batch: Batch): string {
  return placeOf({ number: batch.last + 1 });
}

/** What errors call a command of the batch. */
export function placeOf({ number }: Pick<BatchCommand, 'number'>): string {
  return `command ${number}`;
}

/** Throws a ConfigError when there is no room. */
export function addToBatch(batch: Batch, command: Omit<BatchCommand, 'number'>): void {
  if (batch.characters + command.text.length > MAX_BATCH_CHARACTERS) {
    const hint = 'Submit it, and go on with another one.';
    throw new ConfigError('configuration', `a transaction holds ${MAX_BATCH_CHARACTERS} characters at most.`, { hint });
  }
  batch.last++;
  batch.characters += command.text.length;
  batch.commands.push({ ...command, number: batch.last });
}

/** Makes all changes on a copy. Throws ConfigErrors, all that are found. */
export function finishBatch(batch: Batch, before: Configuration): Committed {
  const transaction = new Transaction(before);
  const errors: ConfigErrors['errors'][number][] = [];
  for (const { change } of batch.commands) {
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
