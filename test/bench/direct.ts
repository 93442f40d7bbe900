// Tunnels whose header follows the IP header: wideplane and Open vSwitch with GRE, wideplane with EtherIP.
//
// The kernel cuts no super-frame that is in such a tunnel: towards decapsulation the frames of the generator are multiplied
// instead (topology.ts), and what leaves a device encapsulated leaves one by one (docs/performance.md).

import { startOvsWith, startWideplaneWith } from './device.ts';
import { DEVICE_ADDRESS, UNDERLAY_ADDRESS, UNDERLAY_MTU } from './topology.ts';
import type { Device, StartDevice } from './device.ts';

/** Outer Ethernet 14, IPv4 20, and the tunnel header. */
const OUTER_OCTETS = 34;

const INTERFACES = `
net interface 1.1 { device e0 adapter packet-ring address-owner wideplane transmit-offloads off }
net interface 1.2 { device e1 adapter packet-ring address-owner wideplane transmit-offloads off }
net vlan wan { interfaces { 1.1 { untagged } } mtu ${UNDERLAY_MTU} }
net vlan inside { interfaces { 1.2 { untagged } } }
net self wan-self { address ${DEVICE_ADDRESS}/24 vlan wan }
net tunnels gre teb { encapsulation transparent-ethernet-bridging flooding-type multipoint }
`;

const tunnel = (profile: string): string =>
  `net tunnels tunnel t1 { local-address ${DEVICE_ADDRESS} remote-address ${UNDERLAY_ADDRESS} profile ${profile} }`;

const bridged = (profile: string): string => `${INTERFACES}${tunnel(profile)}
net vlan-group bridge1 { members { inside t1 } mode transparent bridge-traffic enabled }
`;

/** Addresses of its own in the network of the generator's hosts, which it reaches through the tunnel. */
const ROUTED = `${INTERFACES}${tunnel('gre')}
net self inside-self { address 172.17.0.1/24 vlan inside }
net self tunnel-self { address 172.16.1.254/24 vlan t1 }
`;

export const startWideplaneTeb: StartDevice = async (topology): Promise<Device> => {
  await topology.addMultiplier();
  const device = await startWideplaneWith(topology, bridged('teb'));
  return { ...device, overheadOctets: OUTER_OCTETS + 4, carrier: 'gre' };
};

export const startWideplaneEtherIp: StartDevice = async (topology): Promise<Device> => ({
  ...(await startWideplaneWith(topology, bridged('etherip'))),
  overheadOctets: OUTER_OCTETS + 2,
});

/** GRE for packets: the inner Ethernet header goes. */
export const startWideplaneGre: StartDevice = async (topology): Promise<Device> => ({
  ...(await startWideplaneWith(topology, ROUTED)),
  overheadOctets: OUTER_OCTETS + 4 - 14,
  isRouter: true,
});

export const startOvsGre: StartDevice = async (topology): Promise<Device> => {
  await topology.addMultiplier();
  const device = await startOvsWith(topology, ['type=gre']);
  return { ...device, overheadOctets: OUTER_OCTETS + 4, carrier: 'gre' };
};
