// What nodes, members of pools and virtual servers have in common: whether they are used, limits, their addresses with ports.

import {
  formatAddress,
  formatAddressOrAny,
  isLimitedBroadcast,
  isMulticast,
  parseAddress,
  parseAddressOrAny,
} from '../core/address.ts';
import type { IpAddress } from '../core/address.ts';
import { parsePort, parseService } from '../wire/service-names.ts';
import { MAX_COUNT } from './gtm-kinds.ts';
import { integer, integerOrWord, pattern } from './kinds.ts';
import { COMMON, fullPath, pathProblem, relativeName } from './name.ts';
import type { Reading, ScalarKind } from './property.ts';

/** What a device writes of the state that it found out, beside what somebody wants. */
const FOUND_SESSIONS = ['monitor-enabled', 'monitor-disabled', 'addr-disabled', 'fqdn-enabled', 'fqdn-disabled'];
const FOUND_STATES = ['up', 'down', 'unchecked', 'checking', 'disabled', 'unavailable', 'fqdn-up', 'fqdn-down'];
const MORE_FOUND_STATES = ['fqdn-checking', 'fqdn-up-no-address', 'fqdn-down-no-address', 'addr-down', 'iso-down'];

const wantedOrFound = (wanted: readonly string[], found: readonly string[]) => ({
  name: 'enumeration',
  expects: wanted.join(' or '),
  words: wanted,
  read: (word: string): Reading<string> =>
    wanted.includes(word) || found.includes(word) ? { value: word } : { problem: `must be ${wanted.join(' or ')}` },
});

/** Whether something is used, and how much. */
export const USE = {
  'connection-limit': integer(
    { min: 0, max: MAX_COUNT },
    { default: 0, help: 'Connections from which on it is not available; 0: no limit.' },
  ),
  'dynamic-ratio': integer(
    { min: 1, max: 100 },
    { default: 1, help: 'Its weight in modes that measure.', inert: true },
  ),
  'rate-limit': integerOrWord(
    { min: 1, max: MAX_COUNT, words: ['disabled'] },
    { default: 'disabled', help: 'Connections per second from which on it is not available.' },
  ),
  ratio: integer({ min: 1, max: 65_535 }, { default: 1, help: 'Its weight in modes of ratio.', inert: true }),
  session: pattern(wantedOrFound(['user-enabled', 'user-disabled'], FOUND_SESSIONS), {
    default: 'user-enabled',
    help: 'Whether it gets new clients. What a device writes of its own findings, as monitor-enabled, means user-enabled.',
  }),
  state: pattern(wantedOrFound(['user-up', 'user-down'], [...FOUND_STATES, ...MORE_FOUND_STATES]), {
    default: 'user-up',
    help: 'Whether it is down whatever monitors find. What a device writes of its own findings, as up, means user-up.',
  }),
};

/** `10.1.1.1:0`, `10.1.1.1%5:http`, `2001:db8::1.any`; any port is 0. */
const MEMBER = /^(.+)[:.]([a-z0-9][a-z0-9-]*)$/;

/** What stands before and behind the last : or . in the last part of a path; undefined where no port stands at the end. */
function splitMember(member: string): { readonly host: string; readonly port: number } | undefined {
  const [, host, portText = ''] = MEMBER.exec(member.slice(member.lastIndexOf('/') + 1)) ?? [];
  const service = host === undefined ? undefined : parseService(`tcp:${portText}`);
  return host === undefined || service === undefined ? undefined : { host, port: service & 0xffff };
}

/** The address of a pool member, by its name. */
export function memberAddress(name: string): string | undefined {
  const parsed = parseAddress(splitMember(name)?.host ?? '');
  return parsed === undefined ? undefined : formatAddress(parsed);
}

/** The port of a pool member; 0: any. */
export function memberPort(name: string): number {
  return splitMember(name)?.port ?? 0;
}

/** Full path of the node that a pool member is on, whether there is an object for it or not. */
export function memberNode(name: string): string {
  const start = name.lastIndexOf('/') + 1;
  return name.slice(0, start + (splitMember(name)?.host ?? '').length);
}

function readMember(word: string, folder: string): Reading<string> {
  const path = fullPath(word, folder);
  const problem = pathProblem(path);
  if (problem !== undefined) return { problem: `must be the name of a pool member: ${problem}` };
  if (splitMember(path) === undefined) return { problem: 'must be an address or a name with a port, as in 10.1.1.1:0' };
  return { value: path.replace(/any$/, '0').replace(/%0(?=[:.][^:.]*$)/, '') };
}

/** A member that is named by an address of its pool's partition. */
function memberInDomain(member: string, routeDomain: number): string {
  const host = member.startsWith(`${COMMON}/`) ? undefined : splitMember(member)?.host;
  if (host === undefined || host.includes('%') || parseAddress(host) === undefined) return member;
  const end = member.lastIndexOf('/') + 1 + host.length;
  return `${member.slice(0, end)}%${routeDomain}${member.slice(end)}`;
}

const NODE = 'ltm node';

/** A member of a pool. It is on a node, of which there may be an object: then the name of the member follows its name. */
export const memberKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'pool-member',
  expects: 'an address with a port, as in 10.1.1.1:0',
  within: {
    types: [NODE],
    // It need not be there.
    of: () => [],
    renamed: (value, type, from, to) =>
      type === NODE && memberNode(value) === from ? `${to}${value.slice(from.length)}` : value,
  },
  read: readMember,
  print: (value, folder) => relativeName(value, folder),
  inDomain: memberInDomain,
};

/** Where a virtual server is: a full path, whose last part is an address, or all of them, and a port. */
export type VirtualDestination = { readonly address: IpAddress; readonly port: number };

/** Of `/Common/192.0.2.1:443`, `/Common/2001:db8::1.443`, `/Common/0.0.0.0:0`. */
export function parseVirtualDestination(text: string): VirtualDestination | undefined {
  const [, host = '', portText = ''] = /^(.+)[.:]([^.:]+)$/.exec(text.slice(text.lastIndexOf('/') + 1)) ?? [];
  const address = parseAddressOrAny(host);
  const port = portText === '*' ? 0 : parsePort(portText);
  if (address === undefined || port === undefined) return undefined;
  const isColon = text[text.lastIndexOf('/') + 1 + host.length] === ':';
  return isColon && address.family === 6 ? undefined : { address, port };
}

export const virtualDestinationKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'destination',
  expects: 'an address and a port, as in 192.0.2.1:443, 2001:db8::1.443 or any:0',
  read(word, folder) {
    const parsed = parseVirtualDestination(word);
    if (parsed === undefined) return { problem: `must be ${virtualDestinationKind.expects}` };
    const { address, port } = parsed;
    if (isMulticast(address) || isLimitedBroadcast(address)) return { problem: 'must be an address of one host' };
    const path = fullPath(word, folder);
    const text = `${formatAddressOrAny(address)}${address.family === 4 ? ':' : '.'}${port}`;
    return { value: `${path.slice(0, path.lastIndexOf('/') + 1)}${text}` };
  },
  print: (value, folder) => relativeName(value, folder),
  inDomain(word, routeDomain) {
    const parsed = word.includes('%') || word.startsWith(`${COMMON}/`) ? undefined : parseVirtualDestination(word);
    if (parsed === undefined) return word;
    const end = /[.:][^.:]+$/.exec(word)!.index;
    return `${word.slice(0, end)}%${routeDomain}${word.slice(end)}`;
  },
};
