// `run util …`: programs of the host. configd runs none of them: they belong to whoever types, so the client starts them
// (src/cli/run-util.ts). What reaches this place came from somewhere else.

import { ConfigError } from '../../core/errors.ts';
import type { Phrase, Verb } from '../verb.ts';
import { runCmConfigSync } from './cm.ts';

/** What the client may start, by name. */
export const UTILITIES = ['bash', 'ping', 'ping6', 'traceroute', 'traceroute6'] as const;

const utilities = UTILITIES.map((name): Phrase => ({
  words: ['util', name],
  help: `Run ${name} of this host, with the rights of whoever types.`,
  operand: { kind: 'text', help: `what ${name} takes`, isOptional: true },
  // eslint-disable-next-line @typescript-eslint/require-await
  async *run() {
    throw new ConfigError('configuration', `run util ${name} is not run by configd, which runs no programs.`, {
      hint: `Type it into wideplane tmsh by itself, or ${name} into a shell of this machine.`,
    });
  },
}));

export const run: Verb = {
  name: 'run',
  help: 'Run a program of this host, or what devices of a group do together.',
  changes: false,
  phrases: [runCmConfigSync, ...utilities],
};
