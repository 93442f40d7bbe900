// The rules by which a device is refused, and the warnings about what will eat traffic. Pure: facts in, sentences out.

import type { HostFacts, LinkFact } from './host-facts.ts';

/** A `net interface` that wants a device. */
export type DeviceRequest = { interface: string; device: string };

const subject = (request: DeviceRequest): string =>
  `net interface ${request.interface}: property device, value ${request.device}`;

/**
 * Why this device must not be taken from the kernel, or undefined: property, value, reason and what to do; the caller puts
 * the name of the object in front. `forcible` says whether --force may override it.
 * Devices stacked on it count: a bridge or kernel VLAN above it loses its frames as well.
 */
export function refusal(facts: HostFacts, request: DeviceRequest): { message: string; forcible: boolean } | undefined {
  const value = `property device, value ${request.device}`;
  const link = facts.links.find((other) => other.name === request.device);
  if (!link) {
    return {
      message: `${value}: there is no such device; "ip link" lists those there are`,
      forcible: false,
    };
  }
  if (link.loopback) {
    return { message: `${value}: is the loopback device, which the host itself needs`, forcible: false };
  }
  // Nothing below could quote such a name.
  if (/["'\\;{}]/.test(link.name)) {
    return { message: `${value}: has a quotation mark or bracket in its name; rename it`, forcible: false };
  }
  const advice =
    'name another device, or use adapter udp or raw-ip with address-owner host, or start with "wideplane up --force" to take it all the same';
  for (const device of [link.name, ...devicesAbove(facts.links, link.name)]) {
    const by = device === link.name ? '' : ` through ${device}, which stands on it`;
    const route = facts.defaultRoutes.find((other) => other.device === device);
    if (route) {
      return {
        message: `${value}: carries the ${route.family} default route of this host${by}; ${advice}`,
        forcible: true,
      };
    }
    if (facts.addresses.some((fact) => fact.device === device && sameAddress(fact.address, facts.sshAddress))) {
      return {
        message: `${value}: carries your SSH session (address ${facts.sshAddress!})${by}; ${advice}`,
        forcible: true,
      };
    }
  }
  return undefined;
}

/** The devices that stand on `device`: its bridge or bond, its kernel VLANs, and what stands on those. */
export function devicesAbove(links: readonly LinkFact[], device: string): string[] {
  const above: string[] = [];
  const visit = (name: string): void => {
    const master = links.find((link) => link.name === name)?.master;
    const stacked = links.filter((link) => link.parent === name).map((link) => link.name);
    for (const next of master === undefined ? stacked : [master, ...stacked]) {
      if (next === device || above.includes(next)) continue;
      above.push(next);
      visit(next);
    }
  };
  visit(device);
  return above;
}

const IPV4_MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/;

function sameAddress(address: string, other: string | undefined): boolean {
  return address === other?.replace(IPV4_MAPPED, '');
}

/** A UDP port that the firewall drops, and the command that lets it in. */
export type BlockedPort = { port: number; fix: string };

/** Facts about one device that decide whether traffic gets through. */
export type DeviceConditions = {
  link: LinkFact;
  /** The larger of conf.all and conf.DEVICE rp_filter: 0 off, 1 strict, 2 loose. */
  rpFilter: number;
  /** The program that configures the device and may change it again. */
  managedBy: 'NetworkManager' | 'systemd-networkd' | undefined;
  /** UDP ports of tunnels whose packets the host's firewall drops on this device. */
  blockedPorts: readonly BlockedPort[];
};

/** Warnings for a device that wideplane takes over. */
export function takeoverWarnings(links: readonly LinkFact[], request: DeviceRequest, seen: DeviceConditions): string[] {
  const warnings = [...managerWarnings(request, seen)];
  const above = devicesAbove(links, request.device);
  if (above.length > 0) {
    warnings.push(
      `${subject(request)}: ${above.join(', ')} of the kernel stands on it and gets no frames while wideplane runs`,
    );
  }
  return warnings;
}

/** Warnings for a device whose addresses stay the kernel's (adapters udp and raw-ip). */
export function hostDeviceWarnings(request: DeviceRequest, seen: DeviceConditions): string[] {
  const { device } = request;
  const warnings: string[] = [];
  if (!seen.link.up) warnings.push(`${subject(request)}: the link is down; fix: ip link set dev ${device} up`);
  if (seen.rpFilter === 1) {
    warnings.push(
      `${subject(request)}: rp_filter is strict, so packets of tunnel peers that are routed over another device are dropped; fix: sysctl -w net.ipv4.conf.${device}.rp_filter=2`,
    );
  }
  for (const { port, fix } of seen.blockedPorts) {
    warnings.push(
      `${subject(request)}: the firewall drops UDP ${port}, so nothing arrives from tunnel peers; fix: ${fix}`,
    );
  }
  return warnings;
}

function managerWarnings(request: DeviceRequest, seen: DeviceConditions): string[] {
  const { device } = request;
  if (seen.managedBy === 'NetworkManager') {
    return [
      `${subject(request)}: NetworkManager manages it and may give it addresses again; fix: nmcli device set ${device} managed no`,
    ];
  }
  if (seen.managedBy === 'systemd-networkd') {
    return [
      `${subject(request)}: systemd-networkd manages it and may give it addresses again; fix: a file /etc/systemd/network/10-${device}.network with [Match] Name=${device} and [Link] Unmanaged=yes, then networkctl reload`,
    ];
  }
  return [];
}

/** A tunnel and what carries it. */
export type TunnelPath = {
  tunnel: string;
  /** Largest inner IP packet that its hosts send, in octets. */
  innerMtu: number;
  /** Octets that the encapsulation adds to an inner IP packet, inner Ethernet header included. */
  overheadOctets: number;
  vlan: string;
  vlanMtu: number;
  device: string;
  deviceMtu: number;
};

/** Warning when the underlay cannot carry full-sized inner packets (RFC 7348, section 4.3). */
export function underlayMtuWarning(path: TunnelPath): string | undefined {
  const needed = path.innerMtu + path.overheadOctets;
  const fixes: string[] = [];
  if (path.deviceMtu < needed) fixes.push(`ip link set dev ${path.device} mtu ${needed}`);
  if (path.vlanMtu < needed) fixes.push(`tmsh modify net vlan ${path.vlan} mtu ${needed}`);
  if (fixes.length === 0) return undefined;
  const underlayMtu = Math.min(path.deviceMtu, path.vlanMtu);
  return (
    `net tunnels tunnel ${path.tunnel}: inner packets of ${path.innerMtu} octets need an underlay MTU of ${needed}, ` +
    `but VLAN ${path.vlan} on ${path.device} has ${underlayMtu}; fix: ${fixes.join(' and ')}, ` +
    `or an MTU of ${underlayMtu - path.overheadOctets} on the hosts behind the tunnel`
  );
}
