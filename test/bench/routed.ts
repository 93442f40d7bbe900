// wideplane as a router: into a tunnel against bridging into it, and with many routes against one.

import { inNamespace, run } from './command.ts';
import { PROGRAMS, startWideplane, startWideplaneWith } from './device.ts';
import { DEVICE_ADDRESS, UNDERLAY_ADDRESS, UNDERLAY_MTU, VNI } from './topology.ts';
import { INSIDE_MAC, measureArrivals, octetsBehind, TRAFFIC_CORE } from './traffic.ts';
import type { Benchmark } from './benchmark.ts';
import type { Command } from './command.ts';
import type { Device, StartDevice } from './device.ts';
import type { Topology } from './topology.ts';
import type { Throughput } from './traffic.ts';

const OCTETS = 64;
const FLOWS = 16;
const SEGMENTS = 8;
const ROUTE_DOMAINS = 100;
/** /24 networks of each route domain, from here on. */
const ROUTES_PER_DOMAIN = 1000;
const FIRST_NETWORK = [20, 0] as const;
/** Neighbouring routes have different gateways, or they would be one. */
const GATEWAYS = 4;
const TAG_OCTETS = 4;
const PATIENCE_MS = 60_000;
const WARM_UP_FRAMES = 20_000;
/** Behind which all remote hosts are. */
const FAR_ROUTER_MAC = '02:00:00:cc:00:01';

const INTERFACES = `
net interface 1.1 { device e0 adapter packet-ring address-owner wideplane transmit-offloads off }
net interface 1.2 { device e1 adapter packet-ring address-owner wideplane transmit-offloads off }
`;

/** The same tunnel as of the bridged device, with a route into it in place of a VLAN group. */
const ROUTED_INTO_VXLAN = `${INTERFACES}
net vlan wan { interfaces { 1.1 { untagged } } mtu ${UNDERLAY_MTU} }
net vlan inside { interfaces { 1.2 { untagged } } }
net self wan-self { address ${DEVICE_ADDRESS}/24 vlan wan }
net tunnels tunnel vx1 {
    key ${VNI}
    local-address ${DEVICE_ADDRESS}
    profile vxlan-multipoint
    remote-address ${UNDERLAY_ADDRESS}
}
net self inside-self { address 172.16.9.1/24 vlan inside }
net self vx-self { address 172.16.8.1/24 vlan vx1 }
net route far { network 172.16.1.0/24 gw 172.16.8.2 }
net arp 172.16.8.2 { mac-address ${FAR_ROUTER_MAC} }
`;

/** A VLAN in and a VLAN out for each route domain, and its routes by several gateways. */
function manyRoutes(domains: number, routes: number): string {
  const lines = [INTERFACES];
  for (let domain = 1; domain <= domains; domain++) {
    lines.push(
      `net vlan in-${domain} { interfaces { 1.2 { tagged } } tag ${domain} }`,
      `net vlan out-${domain} { interfaces { 1.1 { tagged } } tag ${1000 + domain} }`,
      `net route-domain ${domain} { vlans { in-${domain} out-${domain} } }`,
      `net self in-${domain} { address 10.1.0.1%${domain}/24 vlan in-${domain} }`,
      `net self out-${domain} { address 10.2.0.1%${domain}/24 vlan out-${domain} }`,
    );
    for (let gateway = 0; gateway < GATEWAYS; gateway++) {
      const mac = FAR_ROUTER_MAC.replace(/1$/, String(gateway));
      lines.push(`net arp 10.2.0.${10 + gateway}%${domain} { mac-address ${mac} }`);
    }
    if (routes === 1) lines.push(`net route all-${domain} { network 20.0.0.0%${domain}/8 gw 10.2.0.10%${domain} }`);
    for (let route = 0; routes > 1 && route < routes; route++) {
      const network = `${FIRST_NETWORK[0]}.${FIRST_NETWORK[1] + (route >>> 8)}.${route & 255}.0%${domain}/24`;
      lines.push(
        `net route r-${domain}-${route} { network ${network} gw 10.2.0.${10 + (route % GATEWAYS)}%${domain} }`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

const domainsOf = new WeakMap<Device, number>();

const startRoutes =
  (domains: number, routes: number): StartDevice =>
  async (topology) => {
    const device = await startWideplaneWith(topology, manyRoutes(domains, routes));
    domainsOf.set(device, domains);
    await device.ready();
    await awaitRoutes(topology, device);
    return device;
  };

/** Sends until every frame comes through: until the routes are there. */
async function awaitRoutes(topology: Topology, device: Device): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const before = await topology.arrivals(topology.underlay, 's0');
    await run(await randomRoutes(topology, device, ['--count', String(WARM_UP_FRAMES)]));
    const arrived = (await topology.arrivals(topology.underlay, 's0')) - before;
    if (arrived >= WARM_UP_FRAMES) return;
    if (Date.now() > deadline) throw new Error(`${topology.device}: only ${arrived} of ${WARM_UP_FRAMES} come through`);
  }
}

/** Single frames, each in a route domain and to a network of its own. */
async function randomRoutes(topology: Topology, device: Device, amount: readonly string[]): Promise<Command> {
  const macs = ['--source-mac', INSIDE_MAC, '--destination-mac', await topology.macOf('device', 'e1')];
  const addresses = ['--source-ip', '10.1.0.10', '--destination-ip', `${FIRST_NETWORK.join('.')}.0.7`];
  return inNamespace(topology.inside, [
    ...[`${PROGRAMS}/generator`, '--octets', String(OCTETS), '--flows', '64', '--core', TRAFFIC_CORE, '--device', 'g0'],
    ...[...macs, ...addresses, '--router', '1', '--networks', String(ROUTES_PER_DOMAIN)],
    ...['--vlans', String(domainsOf.get(device)!), ...amount],
  ]);
}

const measureRoutes = (topology: Topology, device: Device, measureMs: number): Promise<Throughput> =>
  measureArrivals(topology, 'encapsulate', measureMs, OCTETS + TAG_OCTETS, (seconds) =>
    randomRoutes(topology, device, ['--seconds', String(seconds)]),
  );

/** Flows to hosts behind the tunnel: by our MAC where they are routed, by their own where they are bridged. */
const intoTunnel =
  (isRouted: boolean) =>
  async (topology: Topology, measureMs: number): Promise<Throughput> => {
    const router = ['--destination-mac', await topology.macOf('device', 'e1'), '--router', '1'];
    const bridged = ['--destination-mac', '02:00:00:bb:00:01'];
    return measureArrivals(topology, 'encapsulate', measureMs, octetsBehind('encapsulate', OCTETS, {}), (seconds) =>
      inNamespace(topology.inside, [
        ...[`${PROGRAMS}/generator`, '--octets', String(OCTETS), '--flows', String(FLOWS), '--core', TRAFFIC_CORE],
        ...['--segments', String(SEGMENTS), '--device', 'g0', '--source-mac', INSIDE_MAC],
        ...[...(isRouted ? router : bridged), '--seconds', String(seconds)],
      ]),
    );
  };

export const ROUTED_BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'routed-into-vxlan-64-vs-bridged',
    unit: 'Mpps',
    atLeast: 0.8,
    start: (topology) => startWideplaneWith(topology, ROUTED_INTO_VXLAN),
    peer: { name: 'bridged', start: startWideplane },
    moreIsBetter: true,
    directions: [],
    discard: true,
    measure: async ({ topology }, measureMs) => {
      const isRouted = topology.inside.startsWith('wideplane-');
      return (await intoTunnel(isRouted)(topology, measureMs)).framesPerSecond / 1e6;
    },
  },
  {
    name: 'route-100k-vs-1',
    unit: 'Mpps',
    atLeast: 0.6,
    start: startRoutes(ROUTE_DOMAINS, ROUTES_PER_DOMAIN),
    peer: { name: 'one-route', start: startRoutes(1, 1) },
    moreIsBetter: true,
    directions: [],
    discard: true,
    measure: async ({ topology, device }, measureMs) =>
      (await measureRoutes(topology, device, measureMs)).framesPerSecond / 1e6,
  },
];
