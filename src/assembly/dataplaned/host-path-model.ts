// Which devices the host shall have to its self IPs: one for each VLAN, VLAN group or tunnel with a self IP of ours.

import { formatPrefix } from '../../core/address.ts';
import { AUTO_LASTHOP_VARIABLE } from '../../config/types/sys-db.ts';
import { ALL_SERVICES, type AllowedServices } from '../../route/port-lockdown.ts';
import { DEFAULT_SERVICES, parseService } from '../../wire/service-names.ts';
import type { ConfigView, Self } from './config-view.ts';
import { hostDeviceNames } from './host-device-name.ts';
import { madeMac } from './made-mac.ts';
import type { HostPathModel, Model } from './model.ts';

/** Of a domain without members: one whose VLAN has no interface yet. */
const ETHERNET_MTU = 1500;

/** By name of the domain. */
export function buildHostPaths(view: ConfigView, model: Model): Map<string, HostPathModel> {
  const byDomain = new Map<string, HostPathModel['addresses']>();
  for (const { domain, words, isIpv6, prefixBits } of model.selfs.values()) {
    const address = { family: isIpv6 ? 6 : 4, words, routeDomain: 0 } as const;
    const addresses = byDomain.get(domain) ?? [];
    addresses.push(formatPrefix({ address, length: prefixBits }));
    byDomain.set(domain, addresses);
  }
  const mtus = leastMtus(model);
  const names = hostDeviceNames(byDomain.keys());
  const paths = new Map<string, HostPathModel>();
  for (const [domain, addresses] of byDomain) {
    paths.set(domain, {
      domain,
      object: `${typeOf(view, domain)} ${domain}`,
      device: names.get(domain)!,
      mac: madeMac(`host ${domain}`),
      mtu: mtus.get(domain) ?? ETHERNET_MTU,
      routeDomain: 0,
      addresses: addresses.sort(),
      routes: [],
      usesLastHop: usesLastHopIn(view, domain),
    });
  }
  return paths;
}

/** What a self IP lets in from the network. */
export function allowedServices(self: Self): AllowedServices {
  const words = self.properties['allow-service'];
  if (words.includes('all')) return ALL_SERVICES;
  return words.flatMap((word) => (word === 'default' ? DEFAULT_SERVICES : (parseService(word) ?? [])));
}

function leastMtus(model: Model): Map<string, number> {
  const least = new Map<string, number>();
  const note = (domain: string, mtu: number): void => {
    least.set(domain, Math.min(mtu, least.get(domain) ?? Infinity));
  };
  for (const { domain, mtu } of model.interfaceMembers.values()) note(domain, mtu);
  for (const { domain, tunnel } of model.tunnelMembers.values()) note(domain, tunnel.mtu);
  return least;
}

function typeOf(view: ConfigView, domain: string): string {
  if (view.vlanGroups.has(domain)) return 'net vlan-group';
  return view.vlans.has(domain) ? 'net vlan' : 'net tunnels tunnel';
}

/** What the VLAN, group or tunnel says itself, and otherwise what holds for the whole system. */
function usesLastHopIn(view: ConfigView, domain: string): boolean {
  const object = view.vlanGroups.get(domain) ?? view.vlans.get(domain) ?? view.tunnels.get(domain);
  const own = object?.properties['auto-lasthop'] ?? 'default';
  if (own !== 'default') return own === 'enabled';
  return view.variables.get(AUTO_LASTHOP_VARIABLE)?.properties.value !== 'disable';
}
