// IP addresses, route domains and prefixes: text to numbers and back, exactly.
//
// The canonical text is RFC 5952 for IPv6, dotted decimal without leading zeros for IPv4, then `%domain` unless the
// route domain is 0, then `/length` for a prefix: `10.3.3.1%5000/24`, `2001:db8::1`.
// Parsing returns undefined for anything else: the caller knows the object and the property that the message must name.

import { read32 } from './octets.ts';

/** Four 32-bit words, signed, in host order. An IPv4 address stands in word 3 and the others are 0. */
export type AddressWords = readonly [number, number, number, number];

export type IpFamily = 4 | 6;

export type IpAddress = {
  readonly family: IpFamily;
  readonly words: AddressWords;
  /** Route domain, 0 to 65534; 0 is the host's own table. */
  readonly routeDomain: number;
};

/** An address with a length, host bits kept: `10.1.1.1/24` is both an address and its subnet. */
export type IpPrefix = { readonly address: IpAddress; readonly length: number };

export const MAX_ROUTE_DOMAIN = 65534;

const DECIMAL = /^(0|[1-9][0-9]{0,4})$/;
const HEXTET = /^[0-9a-fA-F]{1,4}$/;

/** The text of 4 or 16 octets of an address. */
export function formatAddressOctets(octets: Uint8Array): string {
  if (octets.length === 4) return formatIpv4(read32(octets, 0));
  return formatIpv6([read32(octets, 0), read32(octets, 4), read32(octets, 8), read32(octets, 12)]);
}

/** Dotted decimal as a signed 32-bit integer; undefined for anything else, leading zeros included. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!DECIMAL.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = (value << 8) | octet;
  }
  return value;
}

export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** RFC 4291, section 2.2, all three forms; undefined for anything else, a zone included. */
export function parseIpv6(text: string): AddressWords | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = hextets(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? hextets(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (index: number) => (all[index]! << 16) | all[index + 1]!;
  return [word(0), word(2), word(4), word(6)];
}

/** The 16-bit groups of one side of `::`; the last may be a dotted IPv4 address when nothing follows it. */
function hextets(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (isLast && index === parts.length - 1 && part.includes('.')) {
      const embedded = parseIpv4(part);
      if (embedded === undefined) return undefined;
      groups.push(embedded >>> 16, embedded & 0xffff);
    } else if (HEXTET.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups.length > 8 ? undefined : groups;
}

/** RFC 5952: lower case, the longest run of zero groups (the first of equals) as `::`, IPv4-mapped in mixed form. */
export function formatIpv6(words: AddressWords): string {
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `::ffff:${formatIpv4(words[3])}`;
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  let best = 0;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      best = start;
      bestLength = end - start;
    }
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return bestLength === 1 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

/** `address[%domain]`. */
export function parseAddress(text: string): IpAddress | undefined {
  const [bare, domainText, ...rest] = text.split('%');
  if (rest.length > 0 || bare === undefined) return undefined;
  let routeDomain = 0;
  if (domainText !== undefined) {
    if (!DECIMAL.test(domainText)) return undefined;
    routeDomain = Number(domainText);
    if (routeDomain > MAX_ROUTE_DOMAIN) return undefined;
  }
  if (bare.includes(':')) {
    const words = parseIpv6(bare);
    return words && { family: 6, words, routeDomain };
  }
  const value = parseIpv4(bare);
  return value === undefined ? undefined : { family: 4, words: [0, 0, 0, value], routeDomain };
}

/** The 4 or 16 octets of the address, in network byte order. */
export function addressOctets({ words, family }: IpAddress): Uint8Array {
  const octets = Uint8Array.from(
    words.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]),
  );
  return family === 4 ? octets.subarray(12) : octets;
}

/** The address without its route domain. */
export function formatBareAddress(address: IpAddress): string {
  return address.family === 4 ? formatIpv4(address.words[3]) : formatIpv6(address.words);
}

export function formatAddress(address: IpAddress): string {
  return formatBareAddress(address) + (address.routeDomain === 0 ? '' : `%${address.routeDomain}`);
}

/** `address[%domain]/length`; an IPv4 length may also be written as a contiguous netmask. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  if (address === undefined) return undefined;
  const lengthText = text.slice(slash + 1);
  const length = lengthText.includes('.') ? netmaskLength(lengthText) : decimal(lengthText);
  return length === undefined || length > familyBits(address.family) ? undefined : { address, length };
}

export function formatPrefix(prefix: IpPrefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

/** 32 or 128. */
export function familyBits(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

/** The bits of word `index` that a prefix of `length` bits covers; for IPv4 count from 96. */
function wordMask(length: number, index: number): number {
  const bits = Math.min(32, Math.max(0, length - index * 32));
  return bits === 0 ? 0 : -1 << (32 - bits);
}

/** The first address of the subnet: host bits zero. */
export function networkOf(prefix: IpPrefix): IpAddress {
  const { family, words, routeDomain } = prefix.address;
  const length = family === 4 ? prefix.length + 96 : prefix.length;
  const mask = (index: 0 | 1 | 2 | 3) => words[index] & wordMask(length, index);
  return { family, words: [mask(0), mask(1), mask(2), mask(3)], routeDomain };
}

/** True when the address, of the same family and route domain, lies in the subnet. */
export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  return sameAddress(networkOf(prefix), networkOf({ address, length: prefix.length }));
}

export function sameAddress(a: IpAddress, b: IpAddress): boolean {
  return (
    a.family === b.family &&
    a.routeDomain === b.routeDomain &&
    a.words[0] === b.words[0] &&
    a.words[1] === b.words[1] &&
    a.words[2] === b.words[2] &&
    a.words[3] === b.words[3]
  );
}

/** 0.0.0.0 or ::. */
export function isUnspecified(address: IpAddress): boolean {
  return address.words.every((word) => word === 0);
}

/** 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291, section 2.7). */
export function isMulticast(address: IpAddress): boolean {
  return address.family === 4 ? address.words[3] >>> 28 === 0xe : address.words[0] >>> 24 === 0xff;
}

/**
 * Whether four words are an IPv6 address. Those of ::/96, which once carried IPv4 addresses and no host may have
 * (RFC 4291, section 2.5.5.1), count as IPv4.
 */
export function wordsAreIpv6(words: AddressWords): boolean {
  return (words[0] | words[1] | words[2]) !== 0;
}

/** The same as isMulticast of an address that is known by its words alone. */
export function wordsAreMulticast(words: AddressWords): boolean {
  return wordsAreIpv6(words) ? words[0] >>> 24 === 0xff : words[3] >>> 28 === 0xe;
}

/** Whether two addresses of one family share the first `prefixBits` bits, counted from the first bit of the family. */
export function wordsShareNetwork(a: AddressWords, b: AddressWords, prefixBits: number, isIpv6: boolean): boolean {
  const length = isIpv6 ? prefixBits : prefixBits + 96;
  for (const index of [0, 1, 2, 3] as const) {
    if (((a[index] ^ b[index]) & wordMask(length, index)) !== 0) return false;
  }
  return true;
}

/** Text of an address that is known by its words alone. */
export function formatWords(words: AddressWords): string {
  return wordsAreIpv6(words) ? formatIpv6(words) : formatIpv4(words[3]);
}

/** 224.0.0.0/24, the local network control block that routers never forward (RFC 5771, section 4). */
export function isLocalControlMulticast(address: IpAddress): boolean {
  return address.family === 4 && address.words[3] >>> 8 === 0xe00000;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  const [a, b, c, d] = address.words;
  return address.family === 4 ? d >>> 24 === 127 : a === 0 && b === 0 && c === 0 && d === 1;
}

/** 255.255.255.255. */
export function isLimitedBroadcast(address: IpAddress): boolean {
  return address.family === 4 && address.words[3] === -1;
}

function decimal(text: string): number | undefined {
  return DECIMAL.test(text) ? Number(text) : undefined;
}

function netmaskLength(text: string): number | undefined {
  const mask = parseIpv4(text);
  if (mask === undefined) return undefined;
  const length = Math.clz32(~mask);
  return wordMask(length, 0) === mask ? length : undefined;
}

/** An address, or `any` and `any6`, the words of F5 for 0.0.0.0 and ::. */
export function parseAddressOrAny(text: string): IpAddress | undefined {
  const [word, ...domain] = text.split('%');
  const address = word === 'any' ? '0.0.0.0' : word === 'any6' ? '::' : word;
  return parseAddress([address, ...domain].join('%'));
}

export function formatAddressOrAny(address: IpAddress): string {
  if (!isUnspecified(address)) return formatAddress(address);
  const domain = address.routeDomain === 0 ? '' : `%${address.routeDomain}`;
  return (address.family === 4 ? 'any' : 'any6') + domain;
}
