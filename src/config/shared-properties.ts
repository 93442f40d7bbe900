// Properties that a BIG-IP has on objects of nearly every type and wideplane on none: templates write them out. In a text they
// are kept like everything that is not known; a command may write them, too.

import { ConfigSyntaxError } from '../core/errors.ts';
import type { Scanner, Token } from './scanner.ts';

/** `partition` says what the name says already. */
export const PARTITION = 'partition';

export const SHARED_PROPERTIES: readonly string[] = ['app-service', 'metadata', PARTITION];

const VERBS: readonly string[] = ['add', 'delete', 'modify', 'replace-all-with'];

/**
 * Takes the value of one, a word or a block with or without a verb: its text, as a file would have it. Throws a
 * ConfigSyntaxError.
 */
export function takeSharedValue(scanner: Scanner, name: Token): string {
  const first = scanner.next();
  const isVerb = first?.kind === 'word' && VERBS.includes(first.text) && scanner.peek()?.kind === 'open';
  const value = isVerb ? scanner.next() : first;
  if (value?.kind === 'word') return scanner.text.slice(value.start, value.end);
  if (value?.kind === 'open') {
    const text = scanner.text.slice(value.start, scanner.skipBlock(value, false));
    return isVerb && first.text === 'delete' ? 'none' : text;
  }
  throw new ConfigSyntaxError(`"${name.text}" needs a value`, name.position, 'Expected a name, or none.');
}
