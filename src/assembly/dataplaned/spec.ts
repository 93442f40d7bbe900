// What the main thread tells the worker: the data plane's objects, resolved to numbers.
//
// Every operation leaves the data plane in a consistent state, so a long list may be applied over several breaths. Numbers
// of domains, members, ports and rows are given out by the main thread and stay with their object for its life.

import type { AddressWords } from '../../core/address.ts';
import type { CrossingSpec } from '../../bridge/crossing.ts';
import type { AllowedServices } from '../../route/port-lockdown.ts';
import type { AssociationSpec } from '../../ipsec/association-database.ts';
import type { SelectorSpec } from '../../ipsec/traffic-selector.ts';
import type { KeyExchangeMessageSpec } from './key-exchange.ts';
import type { PackedRoutes } from '../../route/route-table.ts';
import type { TunnelSpec } from '../../tunnel/tunnel.ts';

export type Mac = { high: number; low: number };

export type DomainSpec = {
  id: number;
  name: string;
  /** Member that stands for ourselves. */
  localMember: number;
  /** MAC of our own addresses; undefined: not known yet, for instance because the device is missing. */
  mac: Mac | undefined;
  /** What holds between the members of a VLAN group; absent: every frame passes as it is. */
  crossing?: CrossingSpec | undefined;
  /** Absent: 0. */
  routeDomain?: number;
  /** Whether its only member is a tunnel that carries packets rather than frames. Absent: no. */
  isLayer3?: boolean;
};

export type InterfaceMemberSpec = {
  id: number;
  name: string;
  row: number;
  domain: number;
  port: number;
  /** VLAN ID of the (outer) tag; 0: untagged. */
  vlan: number;
  /** VLAN ID of the inner tag; 0 or absent: none. */
  innerVlan?: number;
  /** TPID of the outer tag; absent: 0x8100. */
  tpid?: number;
  mtu: number;
  enabled: boolean;
  splitHorizonGroup: number;
  /** Members of one VLAN have the same number; what passes between two numbers crosses the group. Absent: 0. */
  segment?: number;
  /** Whether packets are dropped whose source belongs to the network of another VLAN. */
  checksSource?: boolean;
};

export type TunnelMemberSpec = {
  id: number;
  name: string;
  row: number;
  domain: number;
  enabled: boolean;
  splitHorizonGroup: number;
  floods: boolean;
  /** Whether flooding goes to `floodRemotes`, rather than once to the tunnel's own remote. */
  replicates: boolean;
  floodRemotes: readonly AddressWords[];
  tunnel: TunnelSpec;
  /** As in InterfaceMemberSpec. */
  segment?: number;
};

/** `routeDomain`: that of the domain; absent: 0. */
export type SelfSpec = {
  name: string;
  domain: number;
  words: AddressWords;
  isIpv6: boolean;
  prefixBits: number;
  /** What it lets in from the network; absent: nothing. */
  services?: AllowedServices;
  routeDomain?: number;
};

/** The device by which the sockets of this host reach a domain. */
export type HostPathSpec = {
  domain: number;
  port: number;
  /** MAC of the host's end. */
  mac: Mac;
  /** MAC of ours: that of the domain, if it has one. */
  ownMac: Mac;
  /** Whether replies go back to where the request came from (auto-lasthop). */
  usesLastHop: boolean;
};

/** A socket of this host that is connected from a self IP. */
export type HostSocketSpec = {
  routeDomain: number;
  protocol: number;
  local: AddressWords;
  localPort: number;
  remote: AddressWords;
  remotePort: number;
};

/** Where packets go that a search in a route table ended at: the number is the result of the search. */
export type RouteSpec = {
  /** From FIRST_ROUTE on. */
  id: number;
  /** Domain on whose link the destinations themselves are; undefined: they are behind gateways. */
  onLink: number | undefined;
  /** Gateways of the same cost, and the domain on whose link each is. */
  gateways: readonly { domain: number; address: AddressWords }[];
  /** Largest IP packet that may take it; 0: what the way out carries. */
  mtu: number;
};

/** Where a static station lives. */
export type StaticTarget = {
  member: number;
  /** For a tunnel: the endpoint; undefined: the tunnel's own remote. */
  remote: AddressWords | undefined;
};

/** Static stations of one domain, by column: the MACs, and the number of each one's target. */
export type StaticEntriesSpec = {
  domain: number;
  high: Uint16Array;
  low: Int32Array;
  target: Uint16Array;
  targets: readonly StaticTarget[];
};

export type StaticNeighbourSpec = { domain: number; address: AddressWords; mac: Mac };

/** A tunnel of IPsec in interface mode. */
export type IpsecTunnelSpec = {
  id: number;
  name: string;
  row: number;
  domain: number;
  enabled: boolean;
  mtu: number;
};

export type IpsecOperation =
  /** The UDP port of ESP behind address translation, and how often keepalives leave; 0: never. */
  | { op: 'set-ipsec-settings'; natTraversalPort: number; keepaliveSeconds: number }
  | { op: 'set-traffic-selector'; spec: SelectorSpec }
  | { op: 'remove-traffic-selector'; id: number }
  | { op: 'set-association'; spec: AssociationSpec }
  | { op: 'remove-association'; id: number }
  /** Whether a daemon has registered for messages of key exchange; one that it sends. */
  | { op: 'set-key-exchange'; isWanted: boolean }
  | { op: 'send-key-exchange'; spec: KeyExchangeMessageSpec };

export type Operation =
  | { op: 'set-learning'; ageingSeconds: number; limit: number }
  /** Whether this device is the active one of its group; it is until it is told otherwise. */
  | { op: 'set-failover-state'; active: boolean }
  | { op: 'set-domain'; spec: DomainSpec }
  | { op: 'remove-domain'; id: number }
  | { op: 'set-interface-member'; spec: InterfaceMemberSpec }
  | { op: 'set-tunnel-member'; spec: TunnelMemberSpec }
  | { op: 'remove-member'; id: number }
  | { op: 'set-self'; spec: SelfSpec }
  | { op: 'remove-self'; name: string }
  | { op: 'set-host-path'; spec: HostPathSpec }
  | { op: 'remove-host-path'; domain: number }
  /** Connections that sockets of this host have already. */
  | { op: 'seed-host-flows'; sockets: readonly HostSocketSpec[] }
  /** `parent`: the route domain that is asked for what has no route in this one. */
  | { op: 'set-route-domain'; id: number; parent: number | undefined }
  | { op: 'remove-route-domain'; id: number }
  | { op: 'set-route'; spec: RouteSpec }
  | { op: 'remove-route'; id: number }
  /** The routes of one IP version in a route domain, connected networks and our own addresses among them. */
  | { op: 'set-route-table'; routeDomain: number; routes: PackedRoutes }
  | ({ op: 'set-static-entries' } & StaticEntriesSpec)
  | { op: 'remove-static-entries'; domain: number; high: Uint16Array; low: Int32Array }
  | IpsecOperation
  | { op: 'set-ipsec-tunnel'; spec: IpsecTunnelSpec }
  | { op: 'set-static-neighbour'; spec: StaticNeighbourSpec }
  | { op: 'remove-static-neighbour'; domain: number; address: AddressWords }
  /** Somebody wants to know where these are: they are asked for. */
  | { op: 'seek-neighbours'; places: readonly { domain: number; address: AddressWords }[] };
