// The wanted state of the data plane, in names instead of numbers: what build-model.ts derives from the configuration, and
// what the planner, the ports and `show` work with.

import type { AddressWords } from '../../core/address.ts';
import type { KeyProperties } from '../../config/ipsec-keys.ts';
import type { RecordTable } from '../../config/record-table.ts';
import type { CrossingSpec } from '../../bridge/crossing.ts';
import type { SecurityAssociationSpec } from '../../ipsec/security-association.ts';
import type { SelectorSpec } from '../../ipsec/traffic-selector.ts';
import type { Subnet } from '../../tunnel/subnets.ts';
import type { TunnelSpec } from '../../tunnel/tunnel.ts';
import type { AllowedServices } from '../../route/port-lockdown.ts';
import type { Adapter } from '../../config/types/net-interface.ts';
import type { TunnelOffload } from '../../port/packet-ring.ts';
import type { Mac } from './spec.ts';

/** What the kernel says of a network device. */
export type DeviceFacts = { mac: Mac; mtu: number; isUp: boolean };

/** Files in place of a device. */
export type FilesModel = { replay: string | undefined; record: string | undefined; timed: boolean; delayMs: number };

/** `device`: empty where there are `files`. */
export type InterfaceModel = {
  name: string;
  device: string;
  adapter: Adapter;
  tunnelOffload: TunnelOffload;
  files: FilesModel | undefined;
  /** Whether the transmit offloads of the device are to be off, so that real frames leave it. */
  finishesFrames: boolean;
  /** Whether its receive offloads are to be off, so that packets come as they were sent, or datagrams are to come joined. */
  receiveOffloads: 'keep' | 'off' | 'join-datagrams';
  /** What a failure is reported of, where it is no interface. */
  object?: string;
};

export type InterfaceMemberModel = {
  key: string;
  name: string;
  domain: string;
  interface: string;
  /** The tags of its frames, as in InterfaceMemberSpec. */
  vlan: number;
  innerVlan: number;
  tpid: number;
  mtu: number;
  enabled: boolean;
  /** Name of the VLAN. */
  segment: string;
  checksSource: boolean;
};

export type TunnelMemberModel = {
  name: string;
  domain: string;
  splitHorizon: boolean;
  floods: boolean;
  replicates: boolean;
  floodRemotes: readonly AddressWords[];
  tunnel: Omit<TunnelSpec, 'member' | 'group' | 'subnets'>;
  /** As in TunnelSpec, with the tunnel of each subnet by its name. */
  subnets: readonly SubnetModel[];
  /** The multicast group to which the tunnel floods, and the domain in which its local address lives. */
  group: GroupModel | undefined;
};

export type SubnetModel = Omit<Subnet, 'member'> & { tunnel: string };

export type GroupModel = { address: AddressWords; domain: string };

export type SocketModel = {
  key: string;
  /** Name of the self IP. */
  self: string;
  /** Canonical text of the local address, which has to be on the device. */
  localAddress: string;
  /** What the socket is bound to: the local address, or a multicast group, and then it only receives. */
  bound: AddressWords;
  /** For a multicast group: its text, and the domain in which it is listened to. */
  group: { text: string; domain: string } | undefined;
  /** UDP port or IP protocol (src/tunnel/service.ts). */
  service: number;
  device: string;
  ttl: number;
  /** Undefined: a raw socket. */
  udp: UdpModel | undefined;
};

export type UdpModel = {
  checksum: boolean;
  /** Over IPv6: whether datagrams without a checksum are taken. */
  acceptsNoChecksum: boolean;
  sourcePortMin: number;
  sourcePortMax: number;
};

export type SelfModel = {
  name: string;
  domain: string;
  words: AddressWords;
  isIpv6: boolean;
  prefixBits: number;
  services: AllowedServices;
  routeDomain: number;
};

/** The device by which the host's own sockets reach a domain. */
export type HostPathModel = {
  /** Name of the VLAN, VLAN group or tunnel, and its type with it. */
  domain: string;
  object: string;
  device: string;
  /** MACs of the host's end and of ours. */
  mac: Mac;
  ownMac: Mac;
  mtu: number;
  /** 0: the host's own network namespace. */
  routeDomain: number;
  /** Self IPs with the lengths of their networks. */
  addresses: string[];
  /** Other networks that are reached from here, each with the self IP that speaks. */
  routes: { network: string; source: string }[];
  usesLastHop: boolean;
};

/** As in RouteTarget, with names of domains. */
export type TargetModel =
  | { kind: 'blackhole' }
  | { kind: 'isolated' }
  | { kind: 'link'; domain: string; mtu: number }
  | { kind: 'gateways'; gateways: readonly { domain: string; address: AddressWords }[]; mtu: number };

/** A static route. */
export type RouteModel = {
  name: string;
  routeDomain: number;
  isIpv6: boolean;
  words: AddressWords;
  bits: number;
  target: TargetModel;
};

export type DomainModel = {
  name: string;
  mac: Mac | undefined;
  crossing: CrossingSpec | undefined;
  routeDomain: number;
  /** Whether its only member carries IP packets, without Ethernet headers. */
  isLayer3: boolean;
};

/** `member`: key of an interface member, or name of a tunnel. */
export type StaticTargetModel = { member: string; remote: AddressWords | undefined };

/** Static stations of one VLAN or tunnel; `targets` by content of the table, undefined where there is no such member. */
export type StaticTableModel = {
  domain: string;
  table: RecordTable<object>;
  targets: readonly (StaticTargetModel | undefined)[];
};

export type NeighbourModel = { domain: string; address: AddressWords; mac: Mac };

/** One direction of a traffic selector; those of an interface mode tunnel are for its packets alone. */
export type SelectorModel = Omit<SelectorSpec, 'id' | 'row' | 'scope' | 'policy'> & {
  key: string;
  tunnel: string | undefined;
  routeDomain: number;
  policy: string;
};

/** A security association; its keys are opened by who has the ciphers (key-ring.ts). */
export type AssociationModel = {
  name: string;
  routeDomain: number;
  policy: string;
  /** As in AssociationSpec. */
  sends: boolean;
  tunnel: string | undefined;
  sa: SecurityAssociationSpec;
  /** The properties that say the keys, sealed. */
  keys: KeyProperties;
};

export type IpsecTunnelModel = { name: string; domain: string; mtu: number };

/** `object`: type and name, as in `net self /Common/wan`. */
export type Failure = { object: string; reason: string };

export type Model = {
  interfaces: Map<string, InterfaceModel>;
  /** By name of the VLAN, VLAN group or tunnel. */
  domains: Map<string, DomainModel>;
  interfaceMembers: Map<string, InterfaceMemberModel>;
  tunnelMembers: Map<string, TunnelMemberModel>;
  sockets: Map<string, SocketModel>;
  selfs: Map<string, SelfModel>;
  /** By name of the domain. */
  hostPaths: Map<string, HostPathModel>;
  /** Parents by route domain; those without one are there too. */
  routeDomains: Map<number, number | undefined>;
  routes: RouteModel[];
  /** By domain, type and name. */
  staticTables: Map<string, StaticTableModel>;
  neighbours: Map<string, NeighbourModel>;
  /** By name and direction. */
  selectors: Map<string, SelectorModel>;
  associations: Map<string, AssociationModel>;
  ipsecTunnels: Map<string, IpsecTunnelModel>;
  ipsecSettings: { natTraversalPort: number; keepaliveSeconds: number };
  /** By name of an interface with a TAP: the largest IP packet that its VLANs, and what they are bridged to, carry. */
  tapMtus: Map<string, number>;
  /** Domain by name of a VLAN, VLAN group or tunnel: several VLANs of a group share one. */
  domainOf: Map<string, string>;
  ageingSeconds: number;
  /** Stations that are learned at most. */
  learnedLimit: number;
  failures: Failure[];
};
