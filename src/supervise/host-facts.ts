// What the host says about its devices: links, addresses, default routes, and the session that started us.

import { readFileSync } from 'node:fs';
import { runCommand } from '../net/helper-program.ts';

export type LinkFact = {
  name: string;
  ifindex: number;
  mtu: number;
  up: boolean;
  loopback: boolean;
  /** The bridge, bond or VRF that it belongs to. */
  master: string | undefined;
  /** The device that it is stacked on: of a kernel VLAN, a macvlan. */
  parent: string | undefined;
};

export type AddressFact = { device: string; address: string };

export type HostDevices = {
  links: readonly LinkFact[];
  addresses: readonly AddressFact[];
};

export type HostFacts = HostDevices & {
  /** Devices that carry a default route, by family. */
  defaultRoutes: readonly { device: string; family: 'IPv4' | 'IPv6' }[];
  /** Local address of the SSH session from which we were started, if there is one. */
  sshAddress: string | undefined;
};

type IpLink = {
  ifindex: number;
  ifname: string;
  flags: string[];
  mtu: number;
  link?: string;
  master?: string;
  linkinfo?: { info_kind?: string };
  addr_info?: { local?: string }[];
};

type IpRoute = { dst: string; type?: string; dev?: string; nexthops?: { dev?: string }[] };

/** Kinds whose `link` is the device underneath, where that of a veth is its peer. */
const STACKED_KINDS = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap', 'macsec']);

/** Devices and addresses alone: one helper program. Throws when ip(8) cannot be asked. */
export async function readHostDevices(): Promise<HostDevices> {
  const links = await ipJson<IpLink>(['-details', 'address', 'show']);
  return {
    links: links.map(linkFact),
    addresses: links.flatMap((link) =>
      (link.addr_info ?? []).flatMap(({ local }) =>
        local === undefined ? [] : [{ device: link.ifname, address: local }],
      ),
    ),
  };
}

/** Everything. Throws when ip(8) cannot be asked. */
export async function readHostFacts(): Promise<HostFacts> {
  const [devices, routes4, routes6] = await Promise.all([
    readHostDevices(),
    ipJson<IpRoute>(['-4', 'route', 'show', 'table', 'all']),
    ipJson<IpRoute>(['-6', 'route', 'show', 'table', 'all']),
  ]);
  return {
    ...devices,
    defaultRoutes: [...defaultDevices(routes4, 'IPv4'), ...defaultDevices(routes6, 'IPv6')],
    sshAddress: sshLocalAddress(),
  };
}

/** The device with this name, or undefined when there is none. */
export async function readLink(device: string): Promise<LinkFact | undefined> {
  const { status, stdout } = await runCommand('ip', ['-json', '-details', 'link', 'show', 'dev', device]);
  if (status !== 0) return undefined;
  const [link] = JSON.parse(stdout.toString()) as IpLink[];
  return link && linkFact(link);
}

/** The names of all devices by their index. */
export async function readDeviceNames(): Promise<Map<number, string>> {
  return new Map((await ipJson<IpLink>(['link', 'show'])).map((link) => [link.ifindex, link.ifname]));
}

async function ipJson<Item>(args: string[]): Promise<Item[]> {
  const { status, stdout, stderr } = await runCommand('ip', ['-json', ...args]);
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}; install iproute2 if it is missing`);
  // Some versions print nothing at all when there is nothing to show.
  return JSON.parse(stdout.toString() || '[]') as Item[];
}

function linkFact(link: IpLink): LinkFact {
  return {
    name: link.ifname,
    ifindex: link.ifindex,
    mtu: link.mtu,
    up: link.flags.includes('UP'),
    loopback: link.flags.includes('LOOPBACK'),
    master: link.master,
    parent: STACKED_KINDS.has(link.linkinfo?.info_kind ?? '') ? link.link : undefined,
  };
}

function defaultDevices<Family extends string>(
  routes: IpRoute[],
  family: Family,
): { device: string; family: Family }[] {
  return routes
    .filter((route) => route.dst === 'default' && (route.type ?? 'unicast') === 'unicast')
    .flatMap((route) => [route.dev, ...(route.nexthops ?? []).map((hop) => hop.dev)])
    .flatMap((device) => (device === undefined ? [] : [{ device, family }]));
}

/** SSH_CONNECTION is `client port server port`; sudo and login shells drop it, so our ancestors are asked too. */
function sshLocalAddress(): string | undefined {
  const own = process.env.SSH_CONNECTION;
  if (own !== undefined) return localAddress(own);
  for (let pid = process.ppid; pid > 1;) {
    try {
      const inherited = readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .find((entry) => entry.startsWith('SSH_CONNECTION='));
      if (inherited !== undefined) return localAddress(inherited.slice('SSH_CONNECTION='.length));
      pid = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** The server's address in SSH_CONNECTION, without a zone. */
export function localAddress(connection: string): string | undefined {
  return connection.split(' ')[2]?.split('%')[0];
}
