// Commands that texts about BIG-IP print and no BIG-IP knows: they are taken for what their authors meant, with a warning
// that says how it is written. One that concerns a type which is not there yet waits for it.

import { findObjectType } from './object-types.ts';
import { Scanner, quote } from './scanner.ts';
import type { Token } from './scanner.ts';
import { ConfigSyntaxError } from '../core/errors.ts';

export type CommandAlias = {
  /** Words; those in capitals stand for any one word, … at the end for what follows. */
  readonly written: string;
  /** What it means, by the same words. */
  readonly real: string;
  /** Type without which it means nothing. */
  readonly needs: string;
  readonly why: string;
};

export const COMMAND_ALIASES: readonly CommandAlias[] = [
  {
    written: 'create gtm datacenter NAME address ADDRESS',
    real: 'create gtm datacenter NAME',
    needs: 'gtm datacenter',
    why: 'a data center has no address, its servers have',
  },
  {
    written: 'modify cm device-group device_trust_group devices add …',
    real: 'modify cm trust-domain Root ca-devices add …',
    needs: 'cm trust-domain',
    why: 'devices join the trust domain, and its group follows',
  },
];

export type RealCommand = { readonly command: string; readonly warning?: string };

/** The command that is meant. */
export function realCommand(
  command: string,
  aliases: readonly CommandAlias[] = COMMAND_ALIASES,
  hasType: (path: string) => boolean = (path) => findObjectType(path) !== undefined,
): RealCommand {
  const usable = aliases.filter(({ needs }) => hasType(needs));
  if (usable.length === 0) return { command };
  const tokens = tokensOf(command);
  for (const { written, real, why } of usable) {
    const found = match(written.split(' '), tokens, command);
    if (found === undefined) continue;
    const meant = real.replace(/[A-Z]+(?= |$)|…/g, (word) => found.get(word) ?? word);
    return { command: meant, warning: `No BIG-IP knows this command: ${why}. It is taken as: ${meant}` };
  }
  return { command };
}

function tokensOf(command: string): Token[] {
  const scanner = new Scanner(command);
  const tokens: Token[] = [];
  try {
    for (let token = scanner.next(); token !== undefined; token = scanner.next()) tokens.push(token);
  } catch (error) {
    // A command that cannot be read is no alias; whoever runs it says what is wrong.
    if (!(error instanceof ConfigSyntaxError)) throw error;
    return [];
  }
  return tokens[0]?.text === 'tmsh' ? tokens.slice(1) : tokens;
}

/** What the open words of a pattern stand for; undefined where it does not fit. */
function match(pattern: readonly string[], tokens: readonly Token[], text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  for (const [index, word] of pattern.entries()) {
    const token = tokens[index];
    if (token === undefined) return undefined;
    if (word === '…') {
      found.set(word, text.slice(token.start).trimEnd());
      return found;
    }
    if (token.kind !== 'word') return undefined;
    if (/^[A-Z]+$/.test(word)) found.set(word, quote(token.text));
    else if (token.text !== word) return undefined;
  }
  return tokens.length === pattern.length ? found : undefined;
}
