// IPsec of the model: traffic selectors, manual security associations, and tunnels of interface mode.

import { type AddressWords, isUnspecified, parseAddress, parseAddressOrAny, parsePrefix } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import { pairOf } from '../../config/ipsec-algorithms.ts';
import { parseUdpPorts } from '../../config/ipsec-kinds.ts';
import { largestInnerOctets } from '../../ipsec/overhead.ts';
import { IpsecProtocol, NO_LIFETIME, type SecurityAssociationSpec } from '../../ipsec/security-association.ts';
import type { Direction } from '../../ipsec/traffic-selector.ts';
import type { ConfigView, IpsecPolicy, ManualAssociation, TrafficSelector, Tunnel } from './config-view.ts';
import { unprotectedFailures } from './unprotected.ts';
import type { AssociationModel, IpsecTunnelModel, Model, SelectorModel } from './model.ts';

/** Of a tunnel whose association is not known yet: what the largest headers leave of the underlay. */
const UNKNOWN_OVERHEAD = 100;
/** Of an underlay that nobody has configured. */
const UNKNOWN_MTU = 1500;
export const DEFLATE = 2;
const WINDOW_STEP = 32;

/** Adds what IPsec needs to a model that has its domains. */
export function addIpsec(view: ConfigView, model: Model): void {
  model.failures.push(...unprotectedFailures(view));
  const tunnels = ipsecTunnelsOf(view);
  for (const selector of view.trafficSelectors.values()) {
    const policy = view.ipsecPolicies.get(selector.properties['ipsec-policy']);
    if (policy === undefined || policy.properties.mode === 'isession') continue;
    const carried = tunnels.filter(({ selector: name }) => name === selector.name);
    if (policy.properties.mode !== 'interface') {
      for (const one of selectorModels(selector, undefined)) model.selectors.set(one.key, one);
    }
    for (const { tunnel } of carried) {
      for (const one of selectorModels(selector, tunnel.name)) model.selectors.set(one.key, one);
    }
  }
  for (const association of view.manualAssociations.values()) {
    const policy = view.ipsecPolicies.get(association.properties['ipsec-policy']);
    if (policy === undefined || policy.properties.mode === 'isession') continue;
    const { mode } = policy.properties;
    const { 'source-address': source, 'destination-address': destination } = association.properties;
    const tunnel =
      mode === 'interface' ? tunnelOf({ source, destination }, policy.name, tunnels, view)?.name : undefined;
    const made = associationModel(association, policy, tunnel);
    if (made === undefined) continue;
    if (mode === 'interface' && tunnel === undefined) {
      const reason = `no tunnel between its ends has a profile whose traffic-selector names IPsec policy ${policy.name}`;
      model.failures.push({ object: `${association.type} ${association.name}`, reason });
      continue;
    }
    model.associations.set(association.name, made);
  }
  for (const { tunnel } of tunnels) {
    const domain = model.domainOf.get(tunnel.name)!;
    model.ipsecTunnels.set(tunnel.name, ipsecTunnelModel(tunnel, domain, mtuOf(tunnel, view, model)));
    const hasSelf = [...view.selfs.values()].some(
      ({ properties: { address } }) => address.split('/')[0] === tunnel.properties['local-address'],
    );
    if (hasSelf) continue;
    const reason = `local-address ${tunnel.properties['local-address']} is not the address of any self IP`;
    model.failures.push({ object: `${tunnel.type} ${tunnel.name}`, reason });
  }
}

type IpsecTunnel = { readonly tunnel: Tunnel; readonly selector: string };

/** Whether a tunnel carries IP packets in IPsec. */
export const isIpsecTunnel = (view: Pick<ConfigView, 'ipsecProfiles'>, { properties }: Tunnel): boolean =>
  view.ipsecProfiles.has(properties.profile);

function ipsecTunnelsOf(view: ConfigView): IpsecTunnel[] {
  return [...view.tunnels.values()].flatMap((tunnel) => {
    const profile = view.ipsecProfiles.get(tunnel.properties.profile);
    return profile === undefined ? [] : [{ tunnel, selector: profile.properties['traffic-selector'] }];
  });
}

/** Packets that a replay window of this size looks back. */
export const roundedWindow = (packets: number): number => Math.ceil(packets / WINDOW_STEP) * WINDOW_STEP;

type Ends = { readonly source: string; readonly destination: string };

/** Name of the tunnel that an association of interface mode between two ends is for. */
export const tunnelBetween = (ends: Ends, policy: string, view: ConfigView): string | undefined =>
  tunnelOf(ends, policy, ipsecTunnelsOf(view), view)?.name;

/** The tunnel that an association of interface mode is for: the one between its ends, whichever way. */
function tunnelOf(
  { source, destination }: Ends,
  policy: string,
  tunnels: readonly IpsecTunnel[],
  view: ConfigView,
): Tunnel | undefined {
  return tunnels.find(({ tunnel, selector }) => {
    if (view.trafficSelectors.get(selector)?.properties['ipsec-policy'] !== policy) return false;
    const { 'local-address': local, 'remote-address': remote } = tunnel.properties;
    return (local === source && remote === destination) || (local === destination && remote === source);
  })?.tunnel;
}

/** One for each direction; in a tunnel a selector for all packets of IPv6 is for those of IPv4 as well. */
const selectorModels = kept((selector: TrafficSelector, tunnel: string | undefined): readonly SelectorModel[] => {
  const { name, properties } = selector;
  const source = parsePrefix(properties['source-address']);
  const destination = parsePrefix(properties['destination-address']);
  if (source === undefined || destination === undefined) return [];
  const { direction, action, order, 'ip-protocol': protocol, 'ipsec-policy': policy } = properties;
  const isIpv6 = source.address.family === 6;
  const isAll = isIpv6 && source.length === 0 && destination.length === 0;
  const families = tunnel !== undefined && isAll ? [false, true] : [isIpv6];
  const ways: Direction[] = direction === 'both' || tunnel !== undefined ? ['out', 'in'] : [direction];
  const mirrors = direction === 'both' || tunnel !== undefined;
  const here = { words: source.address.words, bits: source.length, port: properties['source-port'] };
  const there = { words: destination.address.words, bits: destination.length, port: properties['destination-port'] };
  return families.flatMap((isSix) =>
    ways.map((way) => {
      const isMirrored = mirrors && way === 'in';
      const [from, to] = isMirrored ? [there, here] : [here, there];
      return {
        key: `${name} ${way}${tunnel === undefined ? '' : ` ${tunnel} ${isSix ? 6 : 4}`}`,
        name,
        tunnel,
        routeDomain: source.address.routeDomain,
        direction: way,
        action: tunnel === undefined ? action : 'protect',
        policy,
        order,
        isIpv6: isSix,
        source: from.words,
        sourceBits: from.bits,
        destination: to.words,
        destinationBits: to.bits,
        sourcePort: from.port,
        destinationPort: to.port,
        protocol,
      };
    }),
  );
});

const associationModel = kept(
  (
    { name, properties }: ManualAssociation,
    { name: policyName, properties: policy }: IpsecPolicy,
    tunnel: string | undefined,
  ): AssociationModel | undefined => {
    const source = parseAddress(properties['source-address']);
    const destination = parseAddress(properties['destination-address']);
    const { protocol, 'auth-algorithm': auth, 'encrypt-algorithm': encrypt } = properties;
    const transform = pairOf(protocol, auth, encrypt);
    if (source === undefined || destination === undefined || 'problem' in transform) return undefined;
    const udp = parseUdpPorts(properties['udp-encapsulation']);
    const isTunnel = policy.mode !== 'transport';
    const sa: SecurityAssociationSpec = {
      spi: properties.spi,
      protocol: IpsecProtocol[protocol],
      isTunnel,
      family: source.family,
      source: source.words,
      destination: destination.words,
      transform: { cipher: transform.cipher, mac: transform.mac },
      extended: properties['extended-sequence-numbers'],
      replayWindow: roundedWindow(properties['replay-window-size']),
      compression: policy.ipcomp === 'deflate' ? DEFLATE : 0,
      compressionIndex: DEFLATE,
      udpSourcePort: udp?.source ?? 0,
      udpDestinationPort: udp?.destination ?? 0,
      ahAlign8: false,
      dontFragment: policy.df,
      softLifetime: NO_LIFETIME,
      hardLifetime: NO_LIFETIME,
    };
    const local = parseAddressOrAny(policy['tunnel-local-address']);
    const sends = local === undefined || isUnspecified(local) || sameWords(local.words, source.words);
    return { name, routeDomain: source.routeDomain, policy: policyName, sends, tunnel, sa, keys: properties };
  },
);

const sameWords = (a: AddressWords, b: AddressWords): boolean => a.every((word, index) => word === b[index]);

const ipsecTunnelModel = kept((tunnel: Tunnel, domain: string, mtu: number): IpsecTunnelModel => ({
  name: tunnel.name,
  domain,
  mtu,
}));

/** What the user has said, or what is left of the underlay behind the headers of the tunnel's association. */
function mtuOf({ name, properties }: Tunnel, view: ConfigView, model: Model): number {
  if (properties.mtu !== 0) return properties.mtu;
  const self = [...view.selfs.values()].find(
    ({ properties: { address } }) => address.split('/')[0] === properties['local-address'],
  );
  const underlay = view.vlans.get(self?.properties.vlan ?? '')?.properties.mtu ?? UNKNOWN_MTU;
  const own = [...model.associations.values()].find(({ tunnel, sends }) => tunnel === name && sends);
  return own === undefined ? underlay - UNKNOWN_OVERHEAD : largestInnerOctets(own.sa, underlay, 6);
}
