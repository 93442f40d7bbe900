// rtnetlink messages (RFC 3549; linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h): links, addresses
// and routes read, and the few requests that this project makes written.
//
//    0                   1                   2                   3
//   +---------------------------------------------------------------+
//   |                    length, header included                    |
//   +-------------------------------+-------------------------------+
//   |             type              |             flags             |
//   +-------------------------------+-------------------------------+
//   |                        sequence number                        |
//   +---------------------------------------------------------------+
//   |                            port ID                            |
//   +---------------------------------------------------------------+
//
// then a fixed structure by type, then attributes of 16-bit length, 16-bit type and value, each padded to 4 octets.
// Integers are in host order, addresses in network order. Not read: neighbours, rules, link statistics, nested attributes.

import type { AddressWords, IpAddress, IpFamily, IpPrefix } from '../core/address.ts';
import { read32, write32 } from '../core/octets.ts';

export const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const MESSAGE_HEADER_OCTETS = 16;
export const ATTRIBUTE_HEADER_OCTETS = 4;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

const IFINFOMSG_OCTETS = 16;
const IFADDRMSG_OCTETS = 8;
const RTMSG_OCTETS = 12;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_GSO_MAX_SEGS = 40;
const IFLA_GSO_MAX_SIZE = 41;
const IFLA_GSO_IPV4_MAX_SIZE = 63;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_TABLE = 15;
/** The two upper bits of an attribute's type are marks (NLA_F_NESTED, NLA_F_NET_BYTEORDER). */
const ATTRIBUTE_TYPE_MASK = 0x3fff;

const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;

/** Multicast groups, as the bit mask that binding a socket takes. */
export const RtnetlinkGroup = { link: 0x1, ipv4Address: 0x10, ipv4Route: 0x40, ipv6Address: 0x100, ipv6Route: 0x400 };

/** Link flags (net/if.h). */
export const LinkFlag = { up: 0x1, loopback: 0x8, running: 0x40, lowerUp: 0x10000 } as const;

/** Address flags (linux/if_addr.h): not usable yet, or never. */
export const AddressFlag = { dadFailed: 0x08, tentative: 0x40 } as const;

/** Route type of ordinary routes, and the table that they are in unless somebody said otherwise. */
export const ROUTE_UNICAST = 1;
export const ROUTE_TABLE_MAIN = 254;

export type LinkRecord = {
  readonly type: 'link';
  readonly sequence: number;
  readonly removed: boolean;
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  /** LinkFlag. */
  readonly flags: number;
  /** The hardware address; empty where the link has none. */
  readonly mac: Uint8Array;
  /** Index of the bridge, bond or VRF that it belongs to; 0: none. */
  readonly master: number;
};

export type AddressRecord = {
  readonly type: 'address';
  readonly sequence: number;
  readonly removed: boolean;
  /** Of the link. */
  readonly index: number;
  readonly prefix: IpPrefix;
  /** AddressFlag. */
  readonly flags: number;
};

export type RouteRecord = {
  readonly type: 'route';
  readonly sequence: number;
  readonly removed: boolean;
  /** Length 0: a default route. */
  readonly destination: IpPrefix;
  readonly gateway: IpAddress | undefined;
  /** Index of the link that it leaves by; 0 where it has none of its own (blackhole, multipath). */
  readonly outIndex: number;
  readonly table: number;
  readonly metric: number;
  /** RTN_*: ROUTE_UNICAST or another. */
  readonly routeType: number;
};

/** The end of a dump; `interrupted`: things changed meanwhile and it may be inconsistent. */
export type DoneRecord = { readonly type: 'done'; readonly sequence: number; readonly interrupted: boolean };
/** The answer to a request: 0, or the errno. */
export type AnswerRecord = { readonly type: 'answer'; readonly sequence: number; readonly errno: number };

export type RtnetlinkRecord = LinkRecord | AddressRecord | RouteRecord | DoneRecord | AnswerRecord;

/** What stands in a datagram, in order; messages of other types, and those that are cut short or malformed, are left out. */
export function parseRtnetlink(datagram: Uint8Array): RtnetlinkRecord[] {
  const records: RtnetlinkRecord[] = [];
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let at = 0;
  while (at + MESSAGE_HEADER_OCTETS <= datagram.length) {
    const octets = view.getUint32(at, LITTLE_ENDIAN);
    if (octets < MESSAGE_HEADER_OCTETS || octets > datagram.length - at) break;
    const record = parseMessage(datagram, view, at, at + octets);
    if (record !== undefined) records.push(record);
    at += align(octets);
  }
  return records;
}

/** The message in [start, end), whose header is there. */
function parseMessage(bytes: Uint8Array, view: DataView, start: number, end: number): RtnetlinkRecord | undefined {
  const type = view.getUint16(start + 4, LITTLE_ENDIAN);
  const flags = view.getUint16(start + 6, LITTLE_ENDIAN);
  const sequence = view.getUint32(start + 8, LITTLE_ENDIAN);
  const body = start + MESSAGE_HEADER_OCTETS;
  switch (type) {
    case NLMSG_DONE:
      return { type: 'done', sequence, interrupted: (flags & NLM_F_DUMP_INTR) !== 0 };
    case NLMSG_ERROR:
      return end - body < 4 ? undefined : { type: 'answer', sequence, errno: -view.getInt32(body, LITTLE_ENDIAN) };
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return parseLink(bytes, view, body, end, sequence, type === RTM_DELLINK);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return parseAddress(bytes, view, body, end, sequence, type === RTM_DELADDR);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return parseRoute(bytes, view, body, end, sequence, type === RTM_DELROUTE);
    default:
      return undefined;
  }
}

function parseLink(
  bytes: Uint8Array,
  view: DataView,
  body: number,
  end: number,
  sequence: number,
  removed: boolean,
): LinkRecord | undefined {
  // Another family tells of the same link as a port of a bridge, which may end while the link lives.
  if (end - body < IFINFOMSG_OCTETS || bytes[body] !== AF_UNSPEC) return undefined;
  let name: string | undefined;
  let mtu = 0;
  let mac = new Uint8Array(0);
  let master = 0;
  for (const { type, from, to } of attributes(view, body + IFINFOMSG_OCTETS, end)) {
    if (type === IFLA_IFNAME) name = text(bytes, from, to);
    else if (type === IFLA_ADDRESS) mac = bytes.slice(from, to);
    else if (type === IFLA_MTU) mtu = integer(view, from, to);
    else if (type === IFLA_MASTER) master = integer(view, from, to);
  }
  if (name === undefined) return undefined;
  const index = view.getInt32(body + 4, LITTLE_ENDIAN);
  const flags = view.getUint32(body + 8, LITTLE_ENDIAN);
  return { type: 'link', sequence, removed, index, name, mtu, flags, mac, master };
}

function parseAddress(
  bytes: Uint8Array,
  view: DataView,
  body: number,
  end: number,
  sequence: number,
  removed: boolean,
): AddressRecord | undefined {
  if (end - body < IFADDRMSG_OCTETS) return undefined;
  const family = familyOf(bytes[body]!);
  if (family === undefined) return undefined;
  const length = bytes[body + 1]!;
  let flags = bytes[body + 2]!;
  let address: IpAddress | undefined;
  let local: IpAddress | undefined;
  for (const { type, from, to } of attributes(view, body + IFADDRMSG_OCTETS, end)) {
    if (type === IFA_ADDRESS) address = readAddress(bytes, from, to, family);
    // On a point-to-point link IFA_ADDRESS is the other end.
    else if (type === IFA_LOCAL) local = readAddress(bytes, from, to, family);
    else if (type === IFA_FLAGS) flags = integer(view, from, to);
  }
  const own = local ?? address;
  if (own === undefined || length > familyLength(family)) return undefined;
  const index = view.getUint32(body + 4, LITTLE_ENDIAN);
  return { type: 'address', sequence, removed, index, prefix: { address: own, length }, flags };
}

function parseRoute(
  bytes: Uint8Array,
  view: DataView,
  body: number,
  end: number,
  sequence: number,
  removed: boolean,
): RouteRecord | undefined {
  if (end - body < RTMSG_OCTETS) return undefined;
  const family = familyOf(bytes[body]!);
  if (family === undefined) return undefined;
  const length = bytes[body + 1]!;
  let table = bytes[body + 4]!;
  const routeType = bytes[body + 7]!;
  let address: IpAddress | undefined = { family, words: [0, 0, 0, 0], routeDomain: 0 };
  let gateway: IpAddress | undefined;
  let outIndex = 0;
  let metric = 0;
  for (const { type, from, to } of attributes(view, body + RTMSG_OCTETS, end)) {
    if (type === RTA_DST) address = readAddress(bytes, from, to, family);
    else if (type === RTA_GATEWAY) gateway = readAddress(bytes, from, to, family);
    else if (type === RTA_OIF) outIndex = integer(view, from, to);
    else if (type === RTA_PRIORITY) metric = integer(view, from, to);
    else if (type === RTA_TABLE) table = integer(view, from, to);
  }
  if (address === undefined || length > familyLength(family)) return undefined;
  const destination = { address, length };
  return { type: 'route', sequence, removed, destination, gateway, outIndex, table, metric, routeType };
}

type Attribute = { type: number; from: number; to: number };

/** The attributes of [start, end), up to the first that does not fit. */
function attributes(view: DataView, start: number, end: number): Attribute[] {
  const found: Attribute[] = [];
  let at = start;
  while (at + ATTRIBUTE_HEADER_OCTETS <= end) {
    const octets = view.getUint16(at, LITTLE_ENDIAN);
    if (octets < ATTRIBUTE_HEADER_OCTETS || octets > end - at) break;
    const type = view.getUint16(at + 2, LITTLE_ENDIAN) & ATTRIBUTE_TYPE_MASK;
    found.push({ type, from: at + ATTRIBUTE_HEADER_OCTETS, to: at + octets });
    at += align(octets);
  }
  return found;
}

const align = (octets: number): number => (octets + 3) & ~3;

const familyOf = (family: number): IpFamily | undefined =>
  family === AF_INET ? 4 : family === AF_INET6 ? 6 : undefined;

const familyLength = (family: IpFamily): number => (family === 4 ? 32 : 128);

/** A 32-bit integer; 0 when the attribute is of another size. */
const integer = (view: DataView, from: number, to: number): number =>
  to - from === 4 ? view.getUint32(from, LITTLE_ENDIAN) : 0;

/** A name up to its terminating zero. */
function text(bytes: Uint8Array, from: number, to: number): string {
  const zero = bytes.indexOf(0, from);
  return String.fromCharCode(...bytes.subarray(from, zero < 0 || zero > to ? to : zero));
}

function readAddress(bytes: Uint8Array, from: number, to: number, family: IpFamily): IpAddress | undefined {
  if (to - from !== familyLength(family) / 8) return undefined;
  const words: AddressWords =
    family === 4
      ? [0, 0, 0, read32(bytes, from)]
      : [read32(bytes, from), read32(bytes, from + 4), read32(bytes, from + 8), read32(bytes, from + 12)];
  return { family, words, routeDomain: 0 };
}

/** Asks for all links. */
export const dumpLinksRequest = (sequence: number): Uint8Array =>
  request(RTM_GETLINK, NLM_F_DUMP, sequence, new Uint8Array(IFINFOMSG_OCTETS));

/** Asks for all addresses, of both families. */
export const dumpAddressesRequest = (sequence: number): Uint8Array =>
  request(RTM_GETADDR, NLM_F_DUMP, sequence, new Uint8Array(IFADDRMSG_OCTETS));

/** Asks for all routes of a family, in every table. */
export function dumpRoutesRequest(sequence: number, family: IpFamily): Uint8Array {
  const body = new Uint8Array(RTMSG_OCTETS);
  body[0] = family === 4 ? AF_INET : AF_INET6;
  return request(RTM_GETROUTE, NLM_F_DUMP, sequence, body);
}

/** Sets a link up or down. */
export function setLinkRequest(sequence: number, index: number, isUp: boolean): Uint8Array {
  const body = new Uint8Array(IFINFOMSG_OCTETS);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, LITTLE_ENDIAN);
  view.setUint32(8, isUp ? LinkFlag.up : 0, LITTLE_ENDIAN);
  view.setUint32(12, LinkFlag.up, LITTLE_ENDIAN);
  return request(RTM_NEWLINK, NLM_F_ACK, sequence, body);
}

/** Sets the MTU of a link. */
export function setMtuRequest(sequence: number, index: number, mtu: number): Uint8Array {
  const body = new Uint8Array(IFINFOMSG_OCTETS + ATTRIBUTE_HEADER_OCTETS + 4);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, LITTLE_ENDIAN);
  view.setUint16(IFINFOMSG_OCTETS, ATTRIBUTE_HEADER_OCTETS + 4, LITTLE_ENDIAN);
  view.setUint16(IFINFOMSG_OCTETS + 2, IFLA_MTU, LITTLE_ENDIAN);
  view.setUint32(IFINFOMSG_OCTETS + ATTRIBUTE_HEADER_OCTETS, mtu, LITTLE_ENDIAN);
  return request(RTM_NEWLINK, NLM_F_ACK, sequence, body);
}

/** How large super-frames of a link may be: segments, octets, and octets over IPv4 (Linux 6.3). */
export type GsoLimits = { segments: number; octets: number; ipv4Octets: number };

export function setGsoLimitsRequest(sequence: number, index: number, limits: GsoLimits): Uint8Array {
  // `octets` first: it also sets that over IPv4.
  const attributes = [
    [IFLA_GSO_MAX_SEGS, limits.segments],
    [IFLA_GSO_MAX_SIZE, limits.octets],
    [IFLA_GSO_IPV4_MAX_SIZE, limits.ipv4Octets],
  ] as const;
  const attributeOctets = ATTRIBUTE_HEADER_OCTETS + 4;
  const body = new Uint8Array(IFINFOMSG_OCTETS + attributes.length * attributeOctets);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, LITTLE_ENDIAN);
  for (const [position, [type, value]] of attributes.entries()) {
    const at = IFINFOMSG_OCTETS + position * attributeOctets;
    view.setUint16(at, attributeOctets, LITTLE_ENDIAN);
    view.setUint16(at + 2, type, LITTLE_ENDIAN);
    view.setUint32(at + ATTRIBUTE_HEADER_OCTETS, value, LITTLE_ENDIAN);
  }
  return request(RTM_NEWLINK, NLM_F_ACK, sequence, body);
}

/** Adds an address to a link; the answer is EEXIST when it is there. */
export const addAddressRequest = (sequence: number, index: number, prefix: IpPrefix): Uint8Array =>
  request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, addressBody(index, prefix));

/** Removes an address from a link; the answer is EADDRNOTAVAIL when it is not there. */
export const removeAddressRequest = (sequence: number, index: number, prefix: IpPrefix): Uint8Array =>
  request(RTM_DELADDR, NLM_F_ACK, sequence, addressBody(index, prefix));

function addressBody(index: number, prefix: IpPrefix): Uint8Array {
  const { family, words } = prefix.address;
  const octets = familyLength(family) / 8;
  const attributeOctets = ATTRIBUTE_HEADER_OCTETS + octets;
  const body = new Uint8Array(IFADDRMSG_OCTETS + 2 * attributeOctets);
  const view = new DataView(body.buffer);
  body[0] = family === 4 ? AF_INET : AF_INET6;
  body[1] = prefix.length;
  view.setUint32(4, index, LITTLE_ENDIAN);
  for (const [position, type] of [IFA_LOCAL, IFA_ADDRESS].entries()) {
    const at = IFADDRMSG_OCTETS + position * attributeOctets;
    view.setUint16(at, attributeOctets, LITTLE_ENDIAN);
    view.setUint16(at + 2, type, LITTLE_ENDIAN);
    const first = family === 4 ? 3 : 0;
    for (let word = first; word < 4; word++) {
      write32(body, at + ATTRIBUTE_HEADER_OCTETS + (word - first) * 4, words[word]!);
    }
  }
  return body;
}

/** A message with its header; `flags` besides NLM_F_REQUEST. */
export function request(type: number, flags: number, sequence: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(MESSAGE_HEADER_OCTETS + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, LITTLE_ENDIAN);
  view.setUint16(4, type, LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST | flags, LITTLE_ENDIAN);
  view.setUint32(8, sequence, LITTLE_ENDIAN);
  message.set(body, MESSAGE_HEADER_OCTETS);
  return message;
}
