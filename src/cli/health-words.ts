// How somebody writes what is known of health and load: options of a command, and lines of a file that have the same options.

import { FACT_STATUSES } from '../gtm/facts.ts';
import type { HealthSet } from '../ipc/health-schema.ts';

type Numeric = Exclude<keyof HealthSet, 'kind' | 'name' | 'status' | 'reason'>;

/** A word behind an option that cannot be what it is to be; the message says what it must be. */
export class HealthWordError extends Error {
  override readonly name = 'HealthWordError';
}

const MOST = 0x7fff_ffff;
const MICROSECONDS_PER_MILLISECOND = 1000;
const PER_THOUSAND_IN_PER_CENT = 10;

function whole(word: string, most = MOST): number {
  const number = /^\d{1,10}$/.test(word) ? Number(word) : Number.NaN;
  if (number <= most) return number;
  throw new HealthWordError(`${word}: it must be a whole number from 0 to ${most}`);
}

function decimal(word: string, factor: number, most: number): number {
  const number = /^\d{1,10}(\.\d+)?$/.test(word) ? Number(word) : Number.NaN;
  if (number <= most) return Math.round(number * factor);
  throw new HealthWordError(`${word}: it must be a number from 0 to ${most}`);
}

function statusOf(word: string): HealthSet['status'] {
  const status = FACT_STATUSES.find((each) => each === word);
  if (status !== undefined) return status;
  throw new HealthWordError(`${word}: it must be ${FACT_STATUSES.join(', ')}`);
}

type HealthOption = {
  readonly key: Exclude<keyof HealthSet, 'kind' | 'name'>;
  readonly value: string;
  readonly help: string;
  readonly read: (word: string) => string | number | undefined;
};

const number = (key: Numeric, value: string, help: string, most?: number): HealthOption => ({
  ...{ key, value, help },
  read: (word) => whole(word, most),
});

/** By what is typed behind `--`. */
export const HEALTH_OPTIONS: Readonly<Record<string, HealthOption>> = {
  status: {
    key: 'status',
    value: 'status',
    help: FACT_STATUSES.join(', '),
    read: statusOf,
  },
  reason: {
    key: 'reason',
    value: 'text',
    help: 'why; it stands behind the status',
    read: (word) => word,
  },
  connections: number('connections', 'n', 'concurrent connections'),
  'packets-per-second': number('packetsPerSecond', 'n', 'packets per second'),
  'kilobytes-per-second': number('kilobytesPerSecond', 'n', 'kilobytes (1000 octets) per second'),
  capacity: number('capacity', 'n', 'capacity of a virtual server, by which virtual-server-capacity weighs it'),
  score: number('score', 'n', 'score of a virtual server, by which virtual-server-score and dynamic-ratio go'),
  cpu: number('cpu', 'percent', 'CPU of a server that is in use', 100),
  memory: number('memoryAvailable', 'kilobytes', 'memory of a server that is free'),
};

/** Of a path: a number in the unit of the message. */
export const PATH_WORDS = {
  milliseconds: (word: string): number =>
    decimal(word, MICROSECONDS_PER_MILLISECOND, MOST / MICROSECONDS_PER_MILLISECOND),
  hops: (word: string): number => whole(word, 255),
  percent: (word: string): number => decimal(word, PER_THOUSAND_IN_PER_CENT, 100),
  seconds: (word: string): number => whole(word),
};

/**
 * A line `SERVER[:VS] --status offline --reason "no power"`, or with `TYPE POOL SERVER:VS` in front for a member of a pool; undefined for an empty one and for a comment (`#`). Throws a
 * HealthWordError.
 */
export function readHealthLine(line: string): HealthSet | undefined {
  const words = line.match(/"[^"]*"|[^\s"]+/g) ?? [];
  if (words.length === 0 || words[0]!.startsWith('#')) return undefined;
  const options = words.findIndex((word) => word.startsWith('--'));
  const named = options < 0 ? words.length : options;
  const name = words.slice(0, Math.max(1, named)).join(' ').replaceAll('"', '');
  const said: Record<string, string | number | undefined> = {};
  for (let at = Math.max(1, named); at < words.length; at += 2) {
    const word = words[at]!;
    const option = word.startsWith('--') ? HEALTH_OPTIONS[word.slice(2)] : undefined;
    if (option === undefined) {
      throw new HealthWordError(`${word} is no option: use --${Object.keys(HEALTH_OPTIONS).join(', --')}`);
    }
    const value = words[at + 1];
    if (value === undefined) throw new HealthWordError(`${word} needs a value`);
    said[option.key] = option.read(value.replaceAll('"', ''));
  }
  return { kind: 'set', name, ...(said as Omit<HealthSet, 'kind' | 'name'>) };
}
