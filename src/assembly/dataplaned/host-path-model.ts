// Which devices the host shall have to its self IPs: one for each VLAN, VLAN group or tunnel with a self IP of ours.

import { type AddressWords, formatPrefix, isUnspecified } from '../../core/address.ts';
import { parseAddressOrAny, parsePrefix, sameAddress } from '../../core/address.ts';
import type { Listener } from '../../config/types/gtm-listener.ts';
import { AUTO_LASTHOP_VARIABLE } from '../../config/types/sys-db.ts';
import { ALL_SERVICES, type AllowedServices } from '../../route/port-lockdown.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import { DEFAULT_SERVICES, packService, parseService } from '../../wire/service-names.ts';
import type { ConfigView, Self } from './config-view.ts';
import { hostDeviceNames } from './host-device-name.ts';
import { madeMac } from './made-mac.ts';
import type { HostPathModel, Model, RouteModel, SelfModel } from './model.ts';

/** Of a domain without members: one whose VLAN has no interface yet. */
const ETHERNET_MTU = 1500;

/** By name of the domain. */
export function buildHostPaths(view: ConfigView, model: Model): Map<string, HostPathModel> {
  const byDomain = new Map<string, SelfModel[]>();
  for (const self of model.selfs.values()) byDomain.set(self.domain, [...(byDomain.get(self.domain) ?? []), self]);
  const mtus = leastMtus(model);
  const names = hostDeviceNames(byDomain.keys());
  const paths = new Map<string, HostPathModel>();
  for (const [domain, selfs] of byDomain) {
    paths.set(domain, {
      domain,
      object: `${typeOf(view, domain)} ${domain}`,
      device: names.get(domain)!,
      mac: madeMac(`host ${domain}`),
      ownMac: model.domains.get(domain)?.mac ?? madeMac(`gateway ${domain}`),
      mtu: mtus.get(domain) ?? ETHERNET_MTU,
      routeDomain: selfs[0]!.routeDomain,
      addresses: selfs.map(({ words, isIpv6, prefixBits }) => networkText(words, isIpv6, prefixBits)).sort(),
      routes: [],
      usesLastHop: usesLastHopIn(view, domain),
    });
  }
  for (const route of model.routes) addRoute(paths, route);
  return paths;
}

/** Makes a static route known to the host, by the device of the domain that it leads into. */
function addRoute(
  paths: ReadonlyMap<string, HostPathModel>,
  { routeDomain, isIpv6, words, bits, target }: RouteModel,
): void {
  if (target.kind === 'blackhole' || target.kind === 'isolated') return;
  // The default route of this host is its own affair; what is bound to a self IP needs none.
  if (bits === 0 && routeDomain === 0) return;
  const domain = target.kind === 'link' ? target.domain : target.gateways[0]!.domain;
  const isUsable = (path: HostPathModel | undefined): boolean =>
    path?.routeDomain === routeDomain && sourceOf(path, isIpv6) !== undefined;
  // A route may lead into another route domain: any device of this one will do.
  const path = [paths.get(domain), ...paths.values()].find(isUsable);
  if (path !== undefined)
    path.routes.push({ network: networkText(words, isIpv6, bits), source: sourceOf(path, isIpv6)! });
}

const sourceOf = ({ addresses }: HostPathModel, isIpv6: boolean): string | undefined =>
  addresses.find((address) => address.includes(':') === isIpv6)?.split('/')[0];

/** As the host knows it: its namespace says which route domain it is. */
const networkText = (words: AddressWords, isIpv6: boolean, length: number): string =>
  formatPrefix({ address: { family: isIpv6 ? 6 : 4, words, routeDomain: 0 }, length });

/** What a self IP lets in from the network: its own services, and listeners, which are no affair of port lockdown. */
export function allowedServices(self: Self, listeners: ConfigView['listeners']): AllowedServices {
  const words = self.properties['allow-service'];
  if (words.includes('all')) return ALL_SERVICES;
  const own = words.flatMap((word) => (word === 'default' ? DEFAULT_SERVICES : (parseService(word) ?? [])));
  const { address } = parsePrefix(self.properties.address)!;
  const served = [...listeners.values()].filter(({ properties }) => {
    const place = parseAddressOrAny(properties.address)!;
    const isHere = place.family === address.family && place.routeDomain === address.routeDomain;
    return properties.enabled && isHere && (isUnspecified(place) || sameAddress(place, address));
  });
  return [...own, ...served.map(({ properties }) => serviceOf(properties))];
}

const serviceOf = (properties: Listener['properties']): number =>
  packService(IpProtocol[properties['ip-protocol']], properties.port);

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
