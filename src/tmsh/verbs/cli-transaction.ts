// `cli transaction`: several changes that are made together or not at all. It belongs to the session of whoever types, and
// ends with it.

import { ConfigErrors } from '../../config/transaction.ts';
import type { Committed } from '../../config/transaction.ts';
import { ConfigError, ConfigSyntaxError } from '../../core/errors.ts';
import { expectEnd, readWords, unexpected } from '../arguments.ts';
import type { Batch } from '../batch.ts';
import { emptyBatch, finishBatch } from '../batch.ts';
import { readOptions } from '../options.ts';
import type { OptionWord, Phrase, Session, Verb } from '../verb.ts';
import { masked } from '../secrets.ts';
import { warningLines } from '../warnings.ts';

const WORDS = ['cli', 'transaction'];

export const createTransaction: Phrase = {
  words: WORDS,
  help: 'Begin a transaction: create, modify, delete, mv and cp wait for its end.',
  changes: false,
  // eslint-disable-next-line @typescript-eslint/require-await
  async *run({ scanner, session }) {
    expectEnd(scanner);
    if (session.batch !== undefined) {
      const hint = 'submit cli transaction makes its changes, delete cli transaction drops them.';
      throw new ConfigError('alreadyExists', 'A transaction is open already.', { hint });
    }
    session.batch = emptyBatch();
    yield 'Transaction is open: changes wait for "submit cli transaction".\n';
  },
};

export const listTransaction: Phrase = {
  words: WORDS,
  help: 'The commands that wait for the end of the transaction.',
  // eslint-disable-next-line @typescript-eslint/require-await
  async *run({ scanner, session }) {
    expectEnd(scanner);
    yield openBatch(session)
      .commands.map(({ number, text }) => `${number}: ${masked(text)}\n`)
      .join('');
  },
};

export const modifyTransaction: Phrase = {
  words: WORDS,
  help: 'Take commands out of the transaction: delete { NUMBER … }.',
  options: [{ word: 'delete', help: 'Commands to take out.', value: { kind: 'number', help: 'numbers in braces' } }],
  // eslint-disable-next-line @typescript-eslint/require-await
  async *run({ scanner, session }) {
    const batch = openBatch(session);
    const word = scanner.next();
    const hint = 'modify cli transaction takes: delete { NUMBER … }';
    if (word === undefined) throw new ConfigSyntaxError('the command is not complete', scanner.endPosition(), hint);
    if (word.text !== 'delete') throw unexpected(word, hint);
    const tokens = readWords(scanner, 'the number of a command');
    expectEnd(scanner);
    const gone = new Set<number>();
    for (const token of tokens) {
      const number = Number(token.text);
      if (!batch.commands.some((command) => command.number === number))
        throw unexpected(token, 'list cli transaction shows the numbers.');
      gone.add(number);
    }
    const commands = batch.commands.filter(({ number }) => !gone.has(number));
    const characters = commands.reduce((sum, { text }) => sum + text.length, 0);
    session.batch = { commands, characters, last: batch.last };
  },
};

export const deleteTransaction: Phrase = {
  words: WORDS,
  help: 'Drop the transaction with all that waits in it.',
  // eslint-disable-next-line @typescript-eslint/require-await
  async *run({ scanner, session }) {
    expectEnd(scanner);
    openBatch(session);
    delete session.batch;
  },
};

const SUBMIT_OPTIONS: readonly OptionWord[] = [
  { word: 'validate-only', help: 'Say what is wrong with it, and change nothing.' },
];

export const submit: Verb = {
  name: 'submit',
  help: 'Make the changes of a transaction.',
  changes: true,
  phrases: [
    {
      words: WORDS,
      help: 'Make all changes of the transaction, or none and say why; it stays open then.',
      options: SUBMIT_OPTIONS,
      // eslint-disable-next-line @typescript-eslint/require-await
      async *run({ scanner, backend, session }) {
        const batch = openBatch(session);
        const isTrial = readOptions(scanner, 'submit cli transaction', SUBMIT_OPTIONS).has('validate-only');
        let committed: Committed;
        try {
          committed = finishBatch(batch, backend.configuration);
        } catch (error) {
          if (!isTrial && error instanceof ConfigErrors) backend.noteSubmitted(batch.commands, error);
          throw error;
        }
        if (!isTrial) {
          backend.commit(committed);
          backend.noteSubmitted(batch.commands);
          delete session.batch;
        }
        yield* warningLines(committed.warnings);
      },
    },
  ],
};

/** Throws a ConfigError when there is none. */
function openBatch({ batch }: Session): Batch {
  if (batch !== undefined) return batch;
  throw new ConfigError('notFound', 'No transaction is open.', { hint: 'create cli transaction begins one.' });
}
