// The Linux kernel's VXLAN device as a peer, alone or with hosts bridged behind it.

import type { Host } from './host.ts';

export type KernelVxlanOptions = {
  device?: string;
  vni: number;
  local: string;
  /** Point to point; without it the device floods to `flood` and knows only static entries. */
  remote?: string;
  flood?: readonly string[];
  /** Flooding by multicast to this group, by this device; stations are learned. */
  group?: { address: string; device: string };
  port?: number;
  udpChecksum?: boolean;
  mtu?: number;
  /** An address on the device itself, with prefix length. */
  address?: string;
};

/** Makes the device and brings it up; resolves to its name. */
export async function addKernelVxlan(host: Host, options: KernelVxlanOptions): Promise<string> {
  const { device = 'vx0', vni, local, remote, flood = [], port = 4789, udpChecksum = true, mtu = 1450 } = options;
  const { group } = options;
  const alone = remote === undefined ? ['nolearning'] : ['remote', remote];
  const ends = group === undefined ? alone : ['group', group.address, 'dev', group.device, 'ttl', '4'];
  const vxlan = ['id', String(vni), 'dstport', String(port), 'local', local, ...ends];
  const ipv4Checksum = udpChecksum ? ['udpcsum'] : ['noudpcsum'];
  const ipv6Checksum = udpChecksum ? [] : ['udp6zerocsumtx', 'udp6zerocsumrx'];
  const checksum = local.includes(':') ? ipv6Checksum : ipv4Checksum;
  await host.ip('link', 'add', device, 'mtu', String(mtu), 'type', 'vxlan', ...vxlan, ...checksum);
  for (const endpoint of flood) await addKernelFdb(host, '00:00:00:00:00:00', endpoint, device);
  await host.ip('link', 'set', device, 'up');
  if (options.address !== undefined) await host.addAddress(device, options.address);
  return device;
}

/** A static entry: frames for `mac` go to the tunnel endpoint; the zero MAC stands for everything to be flooded. */
export async function addKernelFdb(host: Host, mac: string, endpoint: string, device = 'vx0'): Promise<void> {
  await host.bridge('fdb', 'append', mac, 'dev', device, 'dst', endpoint);
}

/** A kernel bridge with these devices as ports, up. */
export async function addKernelBridge(host: Host, bridge: string, ports: readonly string[]): Promise<void> {
  await host.ip('link', 'add', bridge, 'type', 'bridge');
  await host.ip('link', 'set', bridge, 'up');
  for (const port of ports) {
    await host.ip('link', 'set', port, 'master', bridge);
    await host.ip('link', 'set', port, 'up');
  }
}
