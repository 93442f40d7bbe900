// What a person sees of a command that failed.

import { ConfigErrors, omittedText } from '../config/transaction.ts';
import { ConfigError, ConfigSyntaxError, errorText, formatPosition } from '../core/errors.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import { findSecrets, starred, withoutWords } from './secrets.ts';

/**
 * The message, the place in the command with a caret below it or the place in the file, and what to do next. `place` is what
 * positions call the command itself, where it is one of a batch. Secrets of the command are masked.
 */
export function describeCommandError(error: unknown, command: string, place?: string): string {
  const hidden = findSecrets(command);
  if (hidden.length === 0) return describe(error, command, place);
  // What was masked in the line that is pointed at is no word any more.
  return withoutWords(describe(error, starred(command, hidden), place), hidden);
}

function describe(error: unknown, command: string, place?: string): string {
  if (error instanceof ConfigErrors) {
    const lines = error.errors.map((each) => describe(each, command, place));
    if (error.omitted > 0) lines.push(omittedText(error.omitted));
    return lines.join('\n');
  }
  if (error instanceof ConfigError || error instanceof ConfigSyntaxError) {
    const { position, hint } = error.details;
    const lines = [error.message];
    if (position?.file !== undefined && position.file !== place)
      lines[0] = `${formatPosition(position)}: ${error.message}`;
    else if (position !== undefined) lines.push(...pointAt(command, position.line, position.column));
    if (hint !== undefined) lines.push(`  ${hint}`);
    return lines.join('\n');
  }
  if (error instanceof IpcError && error.code === 'unreachable') {
    return `${error.message}\n  Start it with wideplane up; its log says why it ended.`;
  }
  return errorText(error);
}

function pointAt(command: string, line: number, column: number): string[] {
  const text = command.split('\n')[line - 1];
  if (text === undefined) return [];
  // Tabs stay tabs, so that the caret stands where the eye looks for it.
  return [text, `${text.slice(0, column - 1).replace(/[^\t]/g, ' ')}^`];
}
