// The host's own end of a VLAN, VLAN group or tunnel: a device that carries its self IPs, so that ordinary sockets live there.
//
// For route domain 0 it is a TAP device in the namespace of `up`. For any other it is one end of a veth pair in a network
// namespace of that route domain, and dataplaned reads the other end (docs/decisions/host-path.md).
//
// Addresses, routes and rules are brought to what is wanted by difference, so that what stays is never missing for a moment. To
// the host, every other address lies behind one gateway, for which dataplaned answers:
//
//   table main    NETWORK of a self IP, or of a route ─► gateway; a metric that any route of the host beats
//   rule          from SELF IP ─► a table of the device with a default route: answers leave as they came

import type { ParamsOf } from '../ipc/schema.ts';
import { runCommand, type CommandResult } from '../net/helper-program.ts';

export type HostPathRequest = ParamsOf<'set-host-paths'>['paths'][number];

/** An address that stands for all others; in no network, so that it can be nobody's (Calico uses the same). */
const GATEWAY = { 4: ['169.254.1.1', 'onlink'], 6: ['fe80::1'] } as const;
/** Routes of ours, among those of the host (rtm_protocol; 87 is not registered). */
const ROUTE_PROTOCOL = '87';
/** A higher one loses: what the host itself has decided goes first. */
const ROUTE_METRIC = '5700';
/** Before the tables of the host, among which VPN clients send all that they see into their tunnel. */
const RULE_PRIORITY = '20000';
const FIRST_TABLE = 570_000_000;

const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4);

/** The routing table of the device with this index, and no other's. */
export const hostTable = (ifindex: number): number => FIRST_TABLE + ifindex;

type AddressShown = { addr_info?: { local?: string; prefixlen?: number; scope?: string }[] };
type RouteShown = { dst: string; table?: string; prefsrc?: string };
type RuleShown = { src?: string };

/** How commands reach the place where the device is: here, or a namespace. */
export class HostPlace {
  readonly namespace: string | undefined;

  constructor(namespace: string | undefined) {
    this.namespace = namespace;
  }

  ip(args: readonly string[], input = ''): Promise<CommandResult> {
    return runCommand('ip', [...(this.namespace === undefined ? [] : ['-n', this.namespace]), ...args], input);
  }

  /** Runs a shell script there, for what is set in /proc. */
  sh(script: string): Promise<CommandResult> {
    const argv = ['sh', '-c', script];
    return this.namespace === undefined
      ? runCommand(argv[0]!, argv.slice(1))
      : runCommand('ip', ['netns', 'exec', this.namespace, ...argv]);
  }

  async json<Item>(args: readonly string[]): Promise<Item[]> {
    const { status, stdout, stderr } = await this.ip(['-json', ...args]);
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
    return JSON.parse(stdout.toString() || '[]') as Item[];
  }
}

/** Makes the device without addresses; throws when that fails, and then there is none. */
export async function makeHostDevice(request: HostPathRequest, place: HostPlace): Promise<void> {
  const { device, mac } = request;
  if (place.namespace === undefined) {
    await expect(['tuntap', 'add', 'dev', device, 'mode', 'tap', 'vnet_hdr'], place);
    await expect(['link', 'set', 'dev', device, 'address', mac], place);
    return;
  }
  const peer = ['peer', 'name', device, 'address', mac, 'netns', place.namespace];
  const result = await runCommand('ip', ['link', 'add', device, 'type', 'veth', ...peer]);
  if (result.status !== 0) throw new Error(`the veth pair ${device}: ${result.stderr}`);
}

/** Brings addresses, routes and rules of the device to what is wanted; throws at the first that fails. */
export async function applyHostPath(request: HostPathRequest, place: HostPlace, table: number): Promise<void> {
  const { device, mtu, addresses } = request;
  await expect(['link', 'set', 'dev', device, 'mtu', String(mtu)], place);
  if (place.namespace !== undefined) await runCommand('ip', ['link', 'set', 'dev', device, 'mtu', String(mtu)]);
  const settled = await place.sh(
    settingsScript(
      device,
      addresses.some((address) => familyOf(address) === 6),
    ),
  );
  if (settled.status !== 0) throw new Error(`settings of ${device}: ${settled.stderr}`);
  await expect(['link', 'set', 'dev', device, 'up'], place);
  for (const family of FAMILIES) {
    const lines = await differences(family, request, place, table);
    if (lines.length === 0) continue;
    const result = await place.ip([`-${family}`, '-batch', '-'], `${lines.join('\n')}\n`);
    if (result.status !== 0) throw new Error(result.stderr.split('\n')[0] ?? 'ip -batch');
  }
}

/**
 * What belongs to a link whose only neighbour is dataplaned: no routers, no search for duplicates. Reverse path filters are
 * loose: dataplaned has decided which packets come here. From an address of this host come ICMP errors about its own packets.
 */
function settingsScript(device: string, speaksIpv6: boolean): string {
  const settings = [
    [`ipv4/conf/${device}/rp_filter`, '2'],
    [`ipv4/conf/${device}/accept_local`, '1'],
    [`ipv6/conf/${device}/accept_ra`, '0'],
    [`ipv6/conf/${device}/router_solicitations`, '0'],
    [`ipv6/conf/${device}/accept_dad`, '0'],
    [`ipv6/conf/${device}/disable_ipv6`, speaksIpv6 ? '0' : '1'],
  ];
  // A kernel without IPv6 has no files for it; whether it is needed shows when the addresses are added.
  return settings.map(([file, value]) => `f=/proc/sys/net/${file}; [ ! -e $f ] || echo ${value} > $f`).join('; ');
}

/** Lines for `ip -batch` that lead from what there is to what is wanted, of one IP version. */
async function differences(
  family: Family,
  { device, addresses, networks, routes }: HostPathRequest,
  place: HostPlace,
  table: number,
): Promise<string[]> {
  const isWanted = (text: string): boolean => familyOf(text) === family;
  const wantedAddresses = addresses.filter(isWanted);
  const wantedRoutes = [...networks, ...routes].filter(({ network }) => isWanted(network));
  const sources = wantedAddresses.map((address) => address.split('/')[0]!);
  const option = `-${family}`;
  const [shown, main, own, rules] = await Promise.all([
    place.json<AddressShown>([option, 'address', 'show', 'dev', device]),
    place.json<RouteShown>([option, 'route', 'show', 'dev', device, 'proto', ROUTE_PROTOCOL]),
    place.json<RouteShown>([option, 'route', 'show', 'dev', device, 'table', String(table)]).catch(() => []),
    place.json<RuleShown>([option, 'rule', 'show', 'table', String(table)]),
  ]);
  const [address, onlink = ''] = GATEWAY[family];
  const way = `via ${address} dev ${device} ${onlink} proto ${ROUTE_PROTOCOL}`;
  const present = shown.flatMap(({ addr_info: infos = [] }) =>
    infos.filter(({ scope }) => scope !== 'link').map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  );
  const presentSources = rules.map(({ src }) => src ?? '');
  const routeKey = ({ network, source }: { network: string; source: string }): string => `${network} ${source}`;
  const presentRoutes = main.map(({ dst, prefsrc }) =>
    routeKey({ network: networkText(dst, family), source: prefsrc ?? '' }),
  );
  const wantedKeys = wantedRoutes.map(routeKey);
  const isGone = (key: string): boolean => !wantedRoutes.some(({ network }) => key.startsWith(`${network} `));
  return [
    ...missing(wantedAddresses, present).map(
      (text) => `address add ${text} dev ${device} noprefixroute${family === 6 ? ' nodad' : ''}`,
    ),
    ...(wantedAddresses.length > 0 && own.length === 0 ? [`route replace default ${way} table ${table}`] : []),
    ...missing(sources, presentSources).map(
      (text) => `rule add priority ${RULE_PRIORITY} from ${text} lookup ${table}`,
    ),
    ...wantedRoutes
      .filter((route) => !presentRoutes.includes(routeKey(route)))
      .map(({ network, source }) => `route replace ${network} ${way} src ${source} metric ${ROUTE_METRIC}`),
    ...missing(presentRoutes, wantedKeys)
      .filter(isGone)
      .map((key) => `route delete ${key.split(' ')[0]} dev ${device} proto ${ROUTE_PROTOCOL} metric ${ROUTE_METRIC}`),
    ...missing(presentSources, sources).map((text) => `rule delete from ${text} lookup ${table}`),
    ...missing(present, wantedAddresses).map((text) => `address delete ${text} dev ${device}`),
  ];
}

/** `ip` leaves the length of a route to one address out. */
function networkText(shown: string, family: Family): string {
  if (shown === 'default') return family === 4 ? '0.0.0.0/0' : '::/0';
  return shown.includes('/') ? shown : `${shown}/${family === 4 ? 32 : 128}`;
}

const missing = (wanted: readonly string[], present: readonly string[]): string[] =>
  wanted.filter((text) => !present.includes(text));

/** Takes away the rules that lead to the table of a device; the rest goes with the device. Resolves to what failed. */
export async function removeHostRules(place: HostPlace, table: number): Promise<string[]> {
  const problems: string[] = [];
  for (const family of FAMILIES) {
    const rules = await place
      .json<RuleShown>([`-${family}`, 'rule', 'show', 'table', String(table)])
      .catch(() => [] as RuleShown[]);
    for (const { src } of rules) {
      const argv = [`-${family}`, 'rule', 'delete', 'from', src ?? 'all', 'lookup', String(table)];
      const { status, stderr } = await place.ip(argv);
      if (status !== 0) problems.push(`ip ${argv.join(' ')}: ${stderr}`);
    }
  }
  return problems;
}

async function expect(args: readonly string[], place: HostPlace): Promise<void> {
  const { status, stderr } = await place.ip(args);
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}
