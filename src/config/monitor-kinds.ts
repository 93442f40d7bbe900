// Kinds of properties that monitors have: where they probe, what they expect, secrets and files that they use.

import { formatAddress, isLimitedBroadcast, isMulticast, isUnspecified, parseAddress } from '../core/address.ts';
import type { IpAddress } from '../core/address.ts';
import { MAX_PATTERN, parsePattern, PatternError } from '../core/octet-pattern-parser.ts';
import { parsePort } from '../wire/service-names.ts';
import type { Always, Property, PropertyOptions, Reading, ScalarKind } from './property.ts';
import { SEALED, openSecret, sealSecret } from './secret-box.ts';
import { sentenceKind } from './sentence.ts';

/** Stands for the address, or the port, of what is probed. */
export const OF_TARGET = '*';

/** Where a monitor probes; undefined: at the address, and at the port, of what it watches. */
export type MonitorDestination = { readonly address: IpAddress | undefined; readonly port: number | undefined };

/** What a `destination` says: `*:*`, `*:80`, `192.0.2.1:80`, `2001:db8::1.80`, of ICMP also `*` and `192.0.2.1`. */
export function parseMonitorDestination(text: string): MonitorDestination | undefined {
  const whole = text === OF_TARGET ? undefined : parseAddress(text);
  if (text === OF_TARGET || whole !== undefined) return { address: whole, port: undefined };
  const [, host = '', portText = ''] = /^(.+)[.:]([^.:]+)$/.exec(text) ?? [];
  const address = host === OF_TARGET ? undefined : parseAddress(host);
  const port = portText === OF_TARGET ? undefined : parsePort(portText);
  if (address === undefined && host !== OF_TARGET) return undefined;
  if (port === undefined ? portText !== OF_TARGET : port === 0) return undefined;
  return address?.family === 6 && text[host.length] === ':' ? undefined : { address, port };
}

/** An address that cannot be probed. */
function isNobodys(address: IpAddress): boolean {
  return isUnspecified(address) || isMulticast(address) || isLimitedBroadcast(address);
}

/** How it is written: a dot stands before the port where it was, and behind an address of IPv6. */
function canonicalDestination(text: string, { address, port }: MonitorDestination, hasPort: boolean): string {
  const host = address === undefined ? OF_TARGET : formatAddress(address);
  if (!hasPort) return host;
  const isDotted = address === undefined ? text.startsWith(`${OF_TARGET}.`) : address.family === 6;
  return `${host}${isDotted ? '.' : ':'}${port ?? OF_TARGET}`;
}

function readDestination(text: string, form: DestinationForm): Reading<string> {
  const problem = { problem: `must be ${DESTINATION_EXPECTS[form]}` };
  const destination = parseMonitorDestination(text);
  if (destination === undefined) return problem;
  const { address, port } = destination;
  if (address !== undefined && isNobodys(address)) return { problem: 'must be an address that a host can have' };
  if (form === 'address' && port !== undefined) return problem;
  // Where it does not say which one, an address alone is no place.
  if (form === 'port' && address !== undefined && port === undefined) return problem;
  return { value: canonicalDestination(text, destination, form !== 'address') };
}

/** `port`: an address is written with a port. `any-port`: the port has no meaning. `address`: there is none. */
type DestinationForm = 'port' | 'any-port' | 'address';

const DESTINATION_EXPECTS: Readonly<Record<DestinationForm, string>> = {
  port: '*:*, a port as in *:80, or an address with its port as in 192.0.2.1:80 or 2001:db8::1.80',
  'any-port': '*:*, or an address as in 192.0.2.1:* or 2001:db8::1.*',
  address: '*, or an IP address',
};

function destinationInDomain(text: string, routeDomain: number): string {
  const parsed = text.includes('%') ? undefined : parseMonitorDestination(text)?.address;
  if (parsed === undefined) return text;
  const whole = parseAddress(text);
  const end = whole === undefined ? /[.:][^.:]+$/.exec(text)!.index : text.length;
  return `${text.slice(0, end)}%${routeDomain}${text.slice(end)}`;
}

/** Where a monitor probes. */
export function destination<const O extends PropertyOptions<string>>(
  form: DestinationForm,
  options: O,
): Property<string, Always<O>> {
  const kind: ScalarKind<string> = {
    shape: 'scalar',
    name: 'destination',
    expects: DESTINATION_EXPECTS[form],
    inDomain: destinationInDomain,
    read: (text) => readDestination(text, form),
    print: (value) => value,
  };
  return { ...options, kind };
}

const patternKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'string',
  expects: 'a regular expression',
  read(text) {
    if (text.length > MAX_PATTERN) return { problem: `is longer than ${MAX_PATTERN} characters` };
    try {
      parsePattern(text);
      return { value: text };
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      return { problem: `must be a regular expression (${error.message})` };
    }
  },
  print: (value) => value,
};

/** A regular expression that an answer has to have. */
export function receiveText<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: patternKind };
}

/** Characters of the longest password, and of a name that goes with it. */
const MAX_PASSWORD = 1024;

const passwordKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'password',
  expects: `a text of up to ${MAX_PASSWORD} characters`,
  isSecret: true,
  read(text) {
    if (text.startsWith(SEALED)) {
      const opened = openSecret(text);
      return 'problem' in opened ? opened : { value: text };
    }
    return text.length > MAX_PASSWORD
      ? { problem: `is longer than ${MAX_PASSWORD} characters` }
      : { value: sealSecret(text) };
  },
  print: (value) => value,
};

/** A password; its value is its sealed text (secret-box.ts). */
export function password<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, secret: true, kind: passwordKind };
}

const pathKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'path',
  expects: 'an absolute path',
  read: (text) =>
    text.startsWith('/') && !text.includes('\0') ? { value: text } : { problem: 'must be an absolute path' },
  print: (value) => value,
};

/** A file of this machine. */
export function file<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: pathKind };
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** Names that are set already, or that change what the program is. */
const RESERVED = /^(?:PATH|NODE_IP|NODE_PORT|MON_TMPL_NAME|LD_.*|BASH_ENV|ENV|IFS)$/;

const variableKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'variable',
  expects: 'the name of a variable, as in LEVEL',
  read(word) {
    if (!VARIABLE.test(word)) return { problem: 'must be the name of a variable: letters, digits and _' };
    return RESERVED.test(word) ? { problem: `must be another variable than ${word}` } : { value: word };
  },
  print: (value) => value,
};

const variableValueKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'string',
  expects: 'a text',
  read: (word) => (word.includes('\0') ? { problem: 'must be a text' } : { value: word }),
  print: (value) => value,
};

const settingKind = sentenceKind({
  name: 'variable',
  expects: 'the name of a variable and its value, as in LEVEL 7',
  wordBehind: (words) => [variableKind, variableValueKind][words.length],
  refersTo: [],
});

/** Variables with their values; each stands on a line of its own: `user-defined LEVEL 7`. */
export function variables<const O extends PropertyOptions<readonly string[]>>(
  options: O,
): Property<readonly string[], Always<O>> {
  return { ...options, kind: { shape: 'list', item: settingKind, isLines: true } } as unknown as Property<
    readonly string[],
    Always<O>
  >;
}
