// The vocabulary of drop reasons: what a user reads in `show`, in metrics and in `tcpdump --dropped`.
//
// A verdict is a small integer: 0 lets a frame go on, any other value is the reason why it was dropped. Reasons are
// stable: a new one is appended, a retired one keeps its number. Names are the kebab-case of the key.

/** The verdict of a frame that goes on. */
export const FORWARD = 0;

export const Drop = {
  frameTooShort: 1,
  frameTooLong: 2,
  unknownVlan: 3,
  invalidSourceMac: 4,
  ownFrameReturned: 5,
  unknownDestination: 6,
  splitHorizon: 7,
  sameMember: 8,
  memberDown: 9,
  ipHeaderInvalid: 10,
  ipChecksumInvalid: 11,
  ipFragment: 12,
  ttlExpired: 13,
  notForUs: 14,
  udpHeaderInvalid: 15,
  udpChecksumInvalid: 16,
  unknownTunnelPort: 17,
  vxlanHeaderInvalid: 18,
  unknownVni: 19,
  unknownRemote: 20,
  ownPacketReturned: 21,
  innerFrameTooShort: 22,
  innerSourceMacInvalid: 23,
  tunnelMtuExceeded: 24,
  floodingNone: 25,
  noEndpoints: 26,
  noHeadroom: 27,
  noBuffer: 28,
  neighbourQueueFull: 29,
  neighbourUnresolved: 30,
  noRoute: 31,
  transmitQueueFull: 32,
  transmitTooLong: 33,
  transmitError: 34,
  portDown: 35,
  gsoUnsupported: 36,
  checksumOffsetInvalid: 37,
  ecnNotCapable: 38,
  localUnsupported: 39,
  pipelineLoop: 40,
  arpInvalid: 41,
  neighbourDiscoveryInvalid: 42,
  linkLocalControl: 43,
  tunnelDisabled: 44,
  vlanMtuExceeded: 45,
  adapterDown: 46,
  icmpInvalid: 47,
  sourceCheckFailed: 48,
  trafficNotBridged: 49,
  multicastNotBridged: 50,
  standbyNotBridged: 51,
  loopGuard: 52,
  hostUnresolved: 53,
  udpChecksumMissing: 54,
  groupMessageInvalid: 55,
  blackhole: 56,
  notForwarded: 57,
  sourceNotForwarded: 58,
  routeMtuExceeded: 59,
  strictIsolation: 60,
  tooManyHosts: 61,
  portLockdown: 62,
  hostUnsupported: 63,
} as const;

export type DropKey = keyof typeof Drop;

/** A drop reason, or FORWARD. */
export type Verdict = 0 | (typeof Drop)[DropKey];

/** What each reason means, for the manual and for `show … drop-reasons`. */
export const DROP_HELP: Record<DropKey, string> = {
  frameTooShort: 'shorter than an Ethernet header',
  frameTooLong: 'longer than the adapter can carry, or cut short by the ring',
  unknownVlan: 'no VLAN has this interface with this tag',
  invalidSourceMac: 'the source MAC is a group address or zero',
  ownFrameReturned: 'the source MAC is our own: the frame came back to us',
  unknownDestination: 'unknown destination on a VLAN with no other member',
  splitHorizon: 'came from a tunnel and may not leave by another tunnel of the group',
  sameMember: 'the destination lives where the frame came from',
  memberDown: 'the interface or tunnel it should leave by is disabled or down',
  ipHeaderInvalid: 'the outer IP header is malformed: version, header length or total length',
  ipChecksumInvalid: 'the outer IPv4 header checksum is wrong',
  ipFragment: 'a fragment of an outer packet, which is not reassembled',
  ttlExpired: 'the TTL or hop limit arrived as 0, or ran out while the packet was routed',
  notForUs: 'sent to our MAC, but to a link-local or group address that is none of ours',
  udpHeaderInvalid: 'the outer UDP length disagrees with the IP header',
  udpChecksumInvalid: 'the outer UDP checksum is wrong',
  unknownTunnelPort: 'sent to a self IP on a UDP port where no tunnel listens',
  vxlanHeaderInvalid: 'the VXLAN header is cut short, or its I flag is not set (RFC 7348, section 5)',
  unknownVni: 'no tunnel has this VNI on this local address and port',
  unknownRemote: 'the outer source is not the remote address of the tunnel',
  ownPacketReturned: 'the outer source is our own self IP: the packet came back to us',
  innerFrameTooShort: 'the encapsulated frame is shorter than an Ethernet header',
  innerSourceMacInvalid: 'the source MAC of the encapsulated frame is a group address or zero',
  tunnelMtuExceeded: 'the frame is larger than the MTU of the tunnel',
  floodingNone: 'unknown, broadcast or multicast destination on a tunnel that does not flood',
  noEndpoints: 'should be flooded, but the FDB names no endpoints for ff:ff:ff:ff:ff:ff',
  noHeadroom: 'no room in front of the frame for the outer headers',
  noBuffer: 'no free buffer for a copy or for a frame that must wait',
  neighbourQueueFull: 'too many frames already wait for this neighbour to resolve',
  neighbourUnresolved: 'the next hop did not answer ARP or neighbour discovery',
  noRoute: 'no route leads to the destination, or to the tunnel endpoint, in its route domain',
  transmitQueueFull: 'the device or socket could take no more',
  transmitTooLong: 'larger than the MTU of the device it should leave by',
  transmitError: 'the device or socket refused the frame',
  portDown: 'the device it should leave by is down or gone',
  gsoUnsupported: 'a segmentation-offload frame of a kind that cannot be segmented here',
  checksumOffsetInvalid: 'the unfinished checksum that the frame announces lies outside it',
  ecnNotCapable: 'outer congestion mark on an inner packet that is not ECN capable (RFC 6040, section 4.2)',
  localUnsupported: 'sent to one of our own addresses, for a protocol that is not served',
  pipelineLoop: 'went round the pipeline too often: tunnels that carry one another',
  arpInvalid: 'a malformed ARP packet',
  neighbourDiscoveryInvalid: 'a malformed neighbour discovery message, or one that was forwarded',
  linkLocalControl: 'to a link-local control address (01:80:c2:00:00:0X), which a bridge does not forward',
  tunnelDisabled: 'the tunnel has failed or is not ready, for instance because its self IP is missing',
  vlanMtuExceeded: 'the frame is larger than the MTU of the VLAN that it came from or should leave by',
  adapterDown: 'the adapter of the interface could not be loaded',
  icmpInvalid: 'a malformed ICMP message to one of our own addresses, or one with a wrong checksum',
  sourceCheckFailed: 'the route back to the source address leads to another VLAN (source-checking)',
  trafficNotBridged: 'of a kind that does not cross the VLAN group: neither IP nor ARP (bridge-traffic)',
  multicastNotBridged: 'a multicast frame, which the VLAN group does not bridge (bridge-multicast)',
  standbyNotBridged: 'the device is standby, and the VLAN group does not bridge then (bridge-in-standby)',
  loopGuard: 'flooded between two members where a MAC moves to and fro: there is a loop behind them',
  hostUnresolved: 'to a host behind an opaque VLAN group that has not been heard by ARP or neighbour discovery',
  udpChecksumMissing:
    'the outer UDP checksum over IPv6 is zero, which the tunnel does not accept (RFC 6935, section 5)',
  groupMessageInvalid: 'a malformed IGMP or MLD message, or one that is not from this link',
  blackhole: 'to a network whose route is a blackhole',
  notForwarded: 'to an address that no router forwards to: a broadcast, link-local, loopback or reserved one',
  sourceNotForwarded: 'from an address that no packet from elsewhere may have: a group, loopback or link-local one',
  routeMtuExceeded: 'larger than the MTU of the VLAN or tunnel that the route leads out by, or than that of the route',
  strictIsolation: 'the route leads into another route domain, and one of the two is strict',
  tooManyHosts: 'to a host on a connected network that is not known yet, and there are too many already',
  portLockdown: 'to a service that the self IP does not let in (allow-service), no answer to a socket of this host, and for no tunnel',
  hostUnsupported: 'from this host by a host path, and neither from a self IP of it nor to one other host',
};

const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Names by number; index 0 is the verdict FORWARD. */
export const DROP_NAMES: readonly string[] = (() => {
  const names = ['forward'];
  for (const [key, code] of Object.entries(Drop)) names[code] = kebab(key);
  return names;
})();

/** How many verdicts there are, FORWARD included: the width of a table of counters by reason. */
export const VERDICT_COUNT = DROP_NAMES.length;
