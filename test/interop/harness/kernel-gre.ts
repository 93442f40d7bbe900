// A Linux kernel's GRE devices as a peer: layer 3 (gre, ip6gre) and Ethernet in GRE (gretap, ip6gretap), which is also what
// NVGRE is made from, its key being VSID and flow id.

import type { Host } from './host.ts';

export type KernelGreType = 'gre' | 'gretap' | 'ip6gre' | 'ip6gretap';

export type KernelGreOptions = {
  type: KernelGreType;
  device?: string;
  local: string;
  /** Without it packets of every sender are taken, and none can be sent. */
  remote?: string;
  /** One for both directions, or what is sent and what is expected. */
  key?: number | { out: number; in: number };
  checksum?: boolean;
  sequence?: boolean;
  ttl?: number;
  mtu?: number;
  addresses?: readonly string[];
};

/** Makes the device anew and brings it up; resolves to its name. */
export async function addKernelGre(host: Host, options: KernelGreOptions): Promise<string> {
  const { type, device = 'tun0', local, remote = 'any', key, ttl = 64, mtu, addresses = [] } = options;
  const argv = ['link', 'add', device, 'type', type, 'local', local, 'remote', remote, 'ttl', String(ttl)];
  if (typeof key === 'number') argv.push('key', String(key));
  else if (key !== undefined) argv.push('okey', String(key.out), 'ikey', String(key.in));
  if (options.checksum === true) argv.push('csum');
  if (options.sequence === true) argv.push('seq');
  // An encapsulation limit is a destination option in front of GRE, which nobody else sends or expects.
  if (type.startsWith('ip6')) argv.push('encaplimit', 'none');
  await host.attempt(['ip', 'link', 'delete', device]);
  await host.ip(...argv);
  if (mtu !== undefined) await host.ip('link', 'set', device, 'mtu', String(mtu));
  // Routers would be asked for by packets that have no place on a link of two ends.
  if (!type.endsWith('tap')) await host.ip('link', 'set', device, 'addrgenmode', 'none');
  await host.ip('link', 'set', device, 'up');
  await host.addAddress(device, ...addresses);
  return device;
}

/** The key of NVGRE (RFC 7637, section 3.2): a virtual subnet of 24 bits and a flow of 8. */
export const nvgreKey = (vsid: number, flow: number): number => vsid * 256 + flow;
