// Three hosts in a row, as network namespaces; the device under test is the one in the middle.
//
//    inside             device                  underlay
//   ┌────────┐        ┌──────────┐          ┌─────────────────────────────┐
//   │     g0 ├────────┤ e1    e0 ├──────────┤ s0        vx0 (kernel VXLAN) │
//   └────────┘  veth  └──────────┘   veth   └─────────────────────────────┘
//   172.16.1.1          10.9.1.1 on e0        10.9.1.2            172.16.1.2
//
// Encapsulation runs from left to right, decapsulation from right to left. Offloads of sending are off everywhere, so that
// complete frames of their real size cross each veth pair, as they would cross a wire.

import { inNamespace, run, runAll } from './command.ts';
import type { Command } from './command.ts';

export const VNI = 100;
export const DEVICE_ADDRESS = '10.9.1.1';
export const UNDERLAY_ADDRESS = '10.9.1.2';
/** The same for devices that are measured over IPv6. */
export const DEVICE_ADDRESS_6 = '2001:db8:9::1';
export const UNDERLAY_ADDRESS_6 = '2001:db8:9::2';
export const UNDERLAY_MTU = 1600;
/** Frames that the multiplier makes of one. */
export const MULTIPLE = 8;
export const INSIDE_ADDRESS = '172.16.1.1';
export const FAR_ADDRESS = '172.16.1.2';

/** Ethernet, IP, UDP and VXLAN headers (RFC 7348, section 5), by version of IP. */
export const VXLAN_OVERHEAD_OCTETS = { 4: 50, 6: 70 } as const;

export class Topology {
  readonly inside: string;
  readonly device: string;
  readonly underlay: string;

  private constructor(name: string) {
    this.inside = `${name}-inside`;
    this.device = `${name}-device`;
    this.underlay = `${name}-under`;
  }

  static async create(name: string): Promise<Topology> {
    const topology = new Topology(name);
    const { inside, device, underlay } = topology;
    for (const namespace of [inside, device, underlay]) {
      await run(['ip', 'netns', 'add', namespace]);
      await run(inNamespace(namespace, ['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']));
      await run(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
    }
    await runAll([
      ['ip', 'link', 'add', 'g0', 'netns', inside, 'type', 'veth', 'peer', 'name', 'e1', 'netns', device],
      ['ip', 'link', 'add', 's0', 'netns', underlay, 'type', 'veth', 'peer', 'name', 'e0', 'netns', device],
      offloadsOff(inside, 'g0', ['tx', 'tx-udp-segmentation']),
      offloadsOff(device, 'e1', ['tx', 'tx-udp-segmentation']),
      offloadsOff(device, 'e0', ['tx', 'tx-udp-segmentation']),
      offloadsOff(underlay, 's0', [
        'tx',
        'tx-udp-segmentation',
        'tx-udp_tnl-segmentation',
        'tx-udp_tnl-csum-segmentation',
      ]),
      ['ip', '-n', underlay, 'link', 'set', 's0', 'mtu', String(UNDERLAY_MTU), 'up'],
      ['ip', '-n', device, 'link', 'set', 'e0', 'mtu', String(UNDERLAY_MTU), 'up'],
      ['ip', '-n', device, 'link', 'set', 'e1', 'up'],
      ['ip', '-n', inside, 'link', 'set', 'g0', 'up'],
      ['ip', '-n', inside, 'address', 'add', `${INSIDE_ADDRESS}/24`, 'dev', 'g0'],
      ['ip', '-n', underlay, 'address', 'add', `${UNDERLAY_ADDRESS}/24`, 'dev', 's0'],
    ]);
    // Permanent, so that no neighbour is asked for again while the device is flooded with frames.
    const mac = await topology.macOf('device', 'e0');
    await runAll([
      ['ip', '-n', underlay, 'neighbour', 'replace', DEVICE_ADDRESS, 'lladdr', mac, 'dev', 's0', 'nud', 'permanent'],
      vxlanDevice(underlay, UNDERLAY_ADDRESS, DEVICE_ADDRESS),
      offloadsOff(underlay, 'vx0', ['tx', 'tx-udp-segmentation']),
      ['ip', '-n', underlay, 'address', 'add', `${FAR_ADDRESS}/24`, 'dev', 'vx0'],
      ['ip', '-n', underlay, 'link', 'set', 'vx0', 'up'],
    ]);
    return topology;
  }

  async macOf(place: 'inside' | 'device' | 'underlay', device: string): Promise<string> {
    const [link] = JSON.parse(await run(['ip', '-n', this[place], '-j', 'link', 'show', device])) as [
      { address: string },
    ];
    return link.address;
  }

  /** How many frames have arrived at a device. */
  async arrivals(namespace: string, device: string): Promise<number> {
    const [link] = JSON.parse(await run(['ip', '-n', namespace, '-j', '-s', 'link', 'show', device])) as [
      { stats64: { rx: { packets: number } } },
    ];
    return link.stats64.rx.packets;
  }

  /** Gives the far end an IPv6 address; the device under test has its own to itself. */
  async addIpv6(): Promise<void> {
    const { underlay } = this;
    const settings = ['net.ipv6.conf.s0.disable_ipv6=0', 'net.ipv6.conf.s0.accept_dad=0'];
    await run(inNamespace(underlay, ['sysctl', '-qw', ...settings]));
    await run(['ip', '-n', underlay, 'address', 'add', `${UNDERLAY_ADDRESS_6}/64`, 'dev', 's0', 'nodad']);
  }

  /**
   * Lets the kernel drop IPv4, and UDP over IPv6, where it arrives at either end, so that the ends cost next to nothing;
   * ARP and neighbour discovery stay.
   */
  async discardArrivals(): Promise<void> {
    for (const [namespace, device] of [
      [this.inside, 'g0'],
      [this.underlay, 's0'],
    ] as const) {
      const hook = `type filter hook ingress device ${device} priority 0;`;
      await runAll(
        [
          ['nft', 'add table netdev bench'],
          ['nft', `add chain netdev bench sink { ${hook} }`],
          ['nft', 'add rule netdev bench sink meta protocol ip drop'],
          ['nft', 'add rule netdev bench sink ip6 nexthdr udp drop'],
        ].map((command) => inNamespace(namespace, command)),
      );
    }
  }

  /**
   * Adds f0 beside s0: what is sent into it leaves by s0 as MULTIPLE frames. For frames that no super-frame of the generator
   * can be cut into; the copies cost the kernel less than as many calls would.
   */
  async addMultiplier(): Promise<void> {
    const { underlay } = this;
    const chain = '{ type filter hook ingress device f1 priority 0; }';
    await runAll([
      ['ip', 'link', 'add', 'f0', 'netns', underlay, 'type', 'veth', 'peer', 'name', 'f1', 'netns', underlay],
      ['ip', '-n', underlay, 'link', 'set', 'f0', 'mtu', String(UNDERLAY_MTU), 'up'],
      ['ip', '-n', underlay, 'link', 'set', 'f1', 'mtu', String(UNDERLAY_MTU), 'up'],
      inNamespace(underlay, ['nft', 'add table netdev multiply']),
      inNamespace(underlay, ['nft', `add chain netdev multiply copies ${chain}`]),
      ...Array.from({ length: MULTIPLE - 1 }, () =>
        inNamespace(underlay, ['nft', 'add rule netdev multiply copies dup to "s0"']),
      ),
      inNamespace(underlay, ['nft', 'add rule netdev multiply copies fwd to "s0"']),
    ]);
  }

  async remove(): Promise<void> {
    for (const namespace of [this.inside, this.device, this.underlay]) await run(['ip', 'netns', 'delete', namespace]);
  }
}

/** Creates vx0 as everybody here speaks: the IANA port and no UDP checksum (RFC 7348, section 5). */
export function vxlanDevice(namespace: string, local: string, remote: string): Command {
  const endpoints = ['id', String(VNI), 'dstport', '4789', 'local', local, 'remote', remote, 'noudpcsum'];
  return ['ip', '-n', namespace, 'link', 'add', 'vx0', 'type', 'vxlan', ...endpoints];
}

export function offloadsOff(namespace: string, device: string, features: readonly string[]): Command {
  return inNamespace(namespace, ['ethtool', '-K', device, ...features.flatMap((feature) => [feature, 'off'])]);
}
