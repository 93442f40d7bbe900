// What properties of wide IPs have in common: limits, destinations, names of virtual servers.

import { formatBareAddress, parseAddress } from '../core/address.ts';
import type { IpAddress } from '../core/address.ts';
import { parsePort } from '../wire/service-names.ts';
import { integer, toggle } from './kinds.ts';
import { fullPath, nameProblem, pathProblem, relativeName } from './name.ts';
import type { ScalarKind } from './property.ts';

/** Seconds and the like: 32 bits. */
export const MAX_COUNT = 0xffff_ffff;
/** Bits, packets and connections per second of the largest systems have room. */
const MAX_LIMIT = 999_999_999_999_999;

const SERVER = 'gtm server';

const limit = (what: string, max = MAX_LIMIT) =>
  integer({ min: 0, max }, { default: 0, help: `${what} it is not available.` });
const limitStatus = (name: string) => toggle({ default: false, help: `Whether ${name} counts.` });

/** Limits of everything that has some. */
export const LIMITS = {
  'limit-max-bps': limit('Bits per second from which on'),
  'limit-max-bps-status': limitStatus('limit-max-bps'),
  'limit-max-connections': limit('Connections from which on'),
  'limit-max-connections-status': limitStatus('limit-max-connections'),
  'limit-max-pps': limit('Packets per second from which on'),
  'limit-max-pps-status': limitStatus('limit-max-pps'),
};

/** Those of a server besides. */
export const SERVER_LIMITS = {
  'limit-cpu-usage': limit('Per cent of all CPUs in use from which on', 100),
  'limit-cpu-usage-status': limitStatus('limit-cpu-usage'),
  'limit-mem-avail': limit('Kilobytes of free memory below which'),
  'limit-mem-avail-status': limitStatus('limit-mem-avail'),
};

export type Destination = { readonly address: IpAddress; readonly port: number };

/** `192.0.2.1:443`, `2001:db8::1.443`, a port by its name too; an address of IPv6 has a dot before its port. */
export function parseDestination(text: string): Destination | undefined {
  const [, host = '', portText = ''] = /^(.+)[.:]([^.:]+)$/.exec(text) ?? [];
  const address = parseAddress(host);
  const port = parsePort(portText);
  if (address === undefined || port === undefined) return undefined;
  const isColon = text[host.length] === ':';
  return address.routeDomain === 0 && !(isColon && address.family === 6) ? { address, port } : undefined;
}

export const destinationKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'destination',
  expects: 'an address and a port, as in 192.0.2.1:443 or 2001:db8::1.443',
  read(word) {
    const destination = parseDestination(word.replace(/^\/Common\//, ''));
    return destination === undefined
      ? { problem: `must be ${destinationKind.expects}` }
      : { value: formatDestination(destination) };
  },
  print: (value) => value,
};

export function formatDestination({ address, port }: Destination): string {
  return `${formatBareAddress(address)}${address.family === 4 ? ':' : '.'}${port}`;
}

/** Server and virtual server of `/Common/server:/Common/vs`. */
export function splitVirtualServerKey(key: string): { readonly server: string; readonly virtualServer: string } {
  const colon = key.indexOf(':');
  return { server: key.slice(0, colon), virtualServer: key.slice(colon + 1) };
}

/** A virtual server as it is named from outside its server; a bare server lies in the folder, and the rest is as it was written. */
export const virtualServerKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'virtual-server',
  expects: 'a server and its virtual server, as in /Common/server:/Common/vs',
  within: {
    types: [SERVER],
    of: (value) => [{ types: [SERVER], name: splitVirtualServerKey(value).server }],
    renamed(value, type, from, to) {
      const { server, virtualServer } = splitVirtualServerKey(value);
      return type === SERVER && server === from ? `${to}:${virtualServer}` : value;
    },
  },
  read(word, folder) {
    const { server, virtualServer } = splitVirtualServerKey(word);
    const path = fullPath(server, folder);
    const isNamed = word.includes(':') && server !== '' && virtualServer !== '';
    if (!isNamed || pathProblem(path) !== undefined || nameProblem(virtualServer) !== undefined) {
      return { problem: `must be ${virtualServerKind.expects}` };
    }
    return { value: `${path}:${virtualServer}` };
  },
  print: (value, folder) => relativeName(value, folder),
};

/** Devices write a mere number where a dependency is on something that is not there any more. */
const STALE = /^[0-9]+$/;

/** Whether a key of dependencies names a virtual server. */
export function isDependency(key: string): boolean {
  return !STALE.test(key);
}

/** What a virtual server depends on. */
export const dependencyKind: ScalarKind<string> = {
  ...virtualServerKind,
  within: {
    ...virtualServerKind.within!,
    of: (value) => (isDependency(value) ? virtualServerKind.within!.of(value) : []),
  },
  read: (word, folder) => (isDependency(word) ? virtualServerKind.read(word, folder) : { value: word }),
};

/** Why this cannot be the name of a server: virtual servers are named behind it. */
export function serverNameProblem(path: string): string | undefined {
  return pathProblem(path) ?? (path.includes(':') ? 'the name of a server holds no :' : undefined);
}

export const virtualServerNameKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'virtual-server-name',
  expects: 'the name of a virtual server',
  read(word) {
    const problem = nameProblem(word);
    return problem === undefined ? { value: word } : { problem: `must be the name of a virtual server: ${problem}` };
  },
  print: (value) => value,
};

const MAX_LABEL = 63;
const MAX_NAME = 253;

/** Why a text is not the name of something in DNS; undefined when it is one. Wildcards count as characters. */
export function domainNameProblem(text: string): string | undefined {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name === '') return 'a name is needed';
  if (name.length > MAX_NAME) return `a domain name has at most ${MAX_NAME} characters`;
  if (/[/\\]/.test(name)) return 'a domain name holds no slash and no backslash';
  const labels = name.split('.');
  if (labels.includes('')) return 'a label of the domain name is empty';
  if (labels.some((label) => label.length > MAX_LABEL))
    return `a label of a domain name has at most ${MAX_LABEL} characters`;
  return nameProblem(name);
}

/** A domain name as it was written. */
export const domainNameKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'domain-name',
  expects: 'a domain name, as in www.example.com',
  read(word) {
    const problem = /[*?]/.test(word) ? 'it has no wildcards' : domainNameProblem(word);
    return problem === undefined ? { value: word } : { problem: `must be a domain name: ${problem}` };
  },
  print: (value) => value,
};

/** The same, with wildcards: `*` and `?`. */
export const wideNameKind: ScalarKind<string> = {
  ...domainNameKind,
  expects: 'a domain name, which may have * and ?, as in *.example.com',
  read(word) {
    const problem = domainNameProblem(word);
    return problem === undefined ? { value: word } : { problem: `must be a domain name: ${problem}` };
  },
};

/** The domain name that an alias or the name of a wide IP stands for: names that differ in case alone are one. */
export function plainDomain(text: string): string {
  return text
    .slice(text.lastIndexOf('/') + 1)
    .replace(/\.$/, '')
    .toLowerCase();
}
