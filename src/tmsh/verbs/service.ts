// `restart sys service`, `start` and `stop`: what the supervisor does with a daemon.

import { DAEMON_NAMES } from '../../ipc/daemon-name.ts';
import type { DaemonName } from '../../ipc/daemon-name.ts';
import { ConfigSyntaxError } from '../../core/errors.ts';
import { expectEnd, readWords, unexpected } from '../arguments.ts';
import type { ServiceAction, ServiceOutcome } from '../backend.ts';
import type { Operand, Verb } from '../verb.ts';

/** Also for `show sys service`. */
export const SERVICE: Operand = { kind: 'word', help: 'a daemon, or all', words: [...DAEMON_NAMES, 'all'] };

/** Without what answers tmsh. */
const STOPPABLE: Operand = {
  kind: 'word',
  help: 'a daemon but configd',
  words: DAEMON_NAMES.filter((name) => name !== 'configd'),
};

const DOING: Readonly<Record<ServiceAction, string>> = {
  restart: 'Restarting',
  start: 'Starting',
  stop: 'Stopping',
};

export const restart = serviceVerb('restart', 'End daemons and start them again.');
export const start = serviceVerb('start', 'Start daemons that were stopped.');
export const stop = serviceVerb('stop', 'End daemons until they are started.');

function serviceVerb(action: ServiceAction, help: string): Verb {
  return {
    name: action,
    help,
    changes: true,
    phrases: [
      {
        words: ['sys', 'service'],
        help,
        operand: action === 'stop' ? STOPPABLE : SERVICE,
        async *run({ scanner, backend }) {
          const words = readWords(scanner, 'the name of a daemon');
          expectEnd(scanner);
          const wrong = words.find((word) => !SERVICE.words!.includes(word.text));
          if (wrong !== undefined) throw unexpected(wrong, `Expected one of: ${SERVICE.words!.join(', ')}.`);
          const isMeant = (name: DaemonName): boolean => words.some(({ text }) => text === name || text === 'all');
          if (action === 'stop' && isMeant('configd')) {
            throw new ConfigSyntaxError(
              'configd cannot be stopped from here: it is what answers tmsh',
              words[0]!.position,
              'restart sys service configd, or stop the whole of wideplane.',
            );
          }
          // The one that runs this command comes last: with it goes whoever would report on the others.
          for (const name of DAEMON_NAMES.filter(isMeant).reverse()) {
            yield `${DOING[action]} ${name}...\n`;
            yield `  ${outcomeText(name, await backend.controlService(name, action))}\n`;
          }
        },
      },
    ],
  };
}

function outcomeText(name: DaemonName, { before, after, isLater }: ServiceOutcome): string {
  if (isLater === true) return `process ${before ?? 'none'} ends now, and another takes its place`;
  const ended = before === undefined ? '' : `process ${before} has ended`;
  if (after === undefined) return `${ended || 'it did not run'}; start sys service ${name} starts it again`;
  if (after === before) return `process ${after} runs already`;
  return `${ended === '' ? '' : `${ended}, `}process ${after} answers`;
}
