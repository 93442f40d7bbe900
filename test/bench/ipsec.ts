// wideplane as a gateway of IPsec: ESP in tunnel mode against its own VXLAN, and a thousand security associations against one.

import { inNamespace } from './command.ts';
import { PROGRAMS, startWideplane, startWideplaneWith } from './device.ts';
import { DEVICE_ADDRESS, UNDERLAY_ADDRESS, UNDERLAY_MTU } from './topology.ts';
import { INSIDE_MAC, measureArrivals, measureThroughput, octetsBehind, TRAFFIC_CORE } from './traffic.ts';
import type { Benchmark } from './benchmark.ts';
import type { Device, StartDevice } from './device.ts';

const OCTETS = 64;
/** Outer IPv4 20, ESP 8, IV 8, pad length and next header 2, ICV 16; the packet inside needs no padding, and the Ethernet header stays. */
const OVERHEAD_OCTETS = 54;
const ASSOCIATIONS = 1000;
const FLOWS = 64;
/** Networks of destinations, a /24 each, from here on. */
const FIRST_NETWORK = [20, 0] as const;

const NETWORK = `
net interface 1.1 { device e0 adapter packet-ring address-owner wideplane transmit-offloads off }
net interface 1.2 { device e1 adapter packet-ring address-owner wideplane transmit-offloads off }
net vlan wan { interfaces { 1.1 { untagged } } mtu ${UNDERLAY_MTU} }
net vlan inside { interfaces { 1.2 { untagged } } }
net self wan-self { address ${DEVICE_ADDRESS}/24 vlan wan }
net self inside-self { address 172.17.0.1/24 vlan inside }
`;

/** AES-128-GCM to one network. */
function association(number: number, destination: string): string {
  const key = Buffer.alloc(20, number & 0xff)
    .fill(number >>> 8, 10)
    .toString('hex');
  return `
net ipsec ipsec-policy p${number} { mode tunnel tunnel-local-address ${DEVICE_ADDRESS} tunnel-remote-address ${UNDERLAY_ADDRESS} }
net ipsec manual-security-association sa${number} {
    auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key 0x${key} ipsec-policy p${number}
    source-address ${DEVICE_ADDRESS} destination-address ${UNDERLAY_ADDRESS} spi ${1000 + number}
}
net ipsec traffic-selector t${number} {
    source-address 0.0.0.0/0 destination-address ${destination} direction out ipsec-policy p${number} order ${number}
}
`;
}

const startGateway: StartDevice = async (topology): Promise<Device> => ({
  ...(await startWideplaneWith(topology, NETWORK + association(0, '172.16.1.0/24'))),
  overheadOctets: OVERHEAD_OCTETS,
  isRouter: true,
});

const startMany =
  (count: number): StartDevice =>
  async (topology) => {
    const networks = Array.from(
      { length: count },
      (_, index) => `${FIRST_NETWORK[0]}.${FIRST_NETWORK[1] + (index >>> 8)}.${index & 255}.0/24`,
    );
    const all = count === 1 ? [`${FIRST_NETWORK[0]}.0.0.0/8`] : networks;
    const associations = all.map((network, index) => association(index, network));
    return startWideplaneWith(topology, NETWORK + associations.join(''));
  };

export const IPSEC_BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'esp-tunnel-64-vs-vxlan',
    unit: 'Mpps',
    atLeast: 0.5,
    start: startGateway,
    peer: { name: 'vxlan', start: startWideplane },
    moreIsBetter: true,
    directions: ['encapsulate'],
    discard: true,
    measure: async ({ topology, device }, measureMs) => {
      const behind = octetsBehind('encapsulate', OCTETS, device);
      return (
        (await measureThroughput(topology, 'encapsulate', OCTETS, measureMs, behind, device)).framesPerSecond / 1e6
      );
    },
  },
  {
    name: 'esp-1000-sas-vs-1',
    unit: 'Mpps',
    atLeast: 0.65,
    start: startMany(ASSOCIATIONS),
    peer: { name: 'one-sa', start: startMany(1) },
    moreIsBetter: true,
    directions: [],
    discard: true,
    measure: async ({ topology }, measureMs) => {
      const macs = ['--source-mac', INSIDE_MAC, '--destination-mac', await topology.macOf('device', 'e1')];
      const addresses = ['--source-ip', '172.17.0.10', '--destination-ip', `${FIRST_NETWORK.join('.')}.0.7`];
      const { framesPerSecond } = await measureArrivals(
        topology,
        'encapsulate',
        measureMs,
        OCTETS + OVERHEAD_OCTETS,
        (seconds) =>
          inNamespace(topology.inside, [
            ...[`${PROGRAMS}/generator`, '--octets', String(OCTETS), '--flows', String(FLOWS), '--core', TRAFFIC_CORE],
            ...['--device', 'g0', ...macs, ...addresses, '--router', '1', '--networks', String(ASSOCIATIONS)],
            ...['--seconds', String(seconds)],
          ]),
      );
      return framesPerSecond / 1e6;
    },
  },
];
