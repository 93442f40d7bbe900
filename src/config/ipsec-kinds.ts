// Kinds of properties that only objects of IPsec have.

import { familyBits, formatAddress, formatPrefix, parseAddress, parsePrefix } from '../core/address.ts';
import { inDomain } from './kinds.ts';
import type { Always, Property, PropertyOptions, Reading, ScalarKind } from './property.ts';
import { SEALED, openSecret, sealSecret } from './secret-box.ts';

/** The longest key: as text in characters, in hexadecimal in digits behind the 0x. */
const MAX_KEY_CHARACTERS = 128;
const HEX = /^0[xX]([0-9a-fA-F]+)$/;
const KEY_EXPECTS = `a text of up to ${MAX_KEY_CHARACTERS} characters in double quotes, or 0x and up to ${MAX_KEY_CHARACTERS} hexadecimal digits`;

function readKey(word: string): Reading<string> {
  if (word.startsWith(SEALED)) {
    const opened = openSecret(word);
    return 'problem' in opened ? opened : { value: word };
  }
  if (word === '') return { problem: 'is empty' };
  const digits = HEX.exec(word)?.[1];
  if (digits === undefined && /^0[xX]/.test(word))
    return { problem: 'has other characters than hexadecimal digits behind 0x' };
  if ((digits ?? word).length > MAX_KEY_CHARACTERS) {
    return {
      problem: `is longer than ${MAX_KEY_CHARACTERS} ${digits === undefined ? 'characters' : 'hexadecimal digits'}`,
    };
  }
  if (digits !== undefined && digits.length % 2 === 1) return { problem: 'has an odd number of hexadecimal digits' };
  return { value: sealSecret(digits === undefined ? word : `0x${digits.toLowerCase()}`) };
}

const keyKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'key',
  expects: KEY_EXPECTS,
  isSecret: true,
  read: readKey,
  print: (value) => value,
};

/** A key; its value is its sealed text (secret-box.ts). */
export function key<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, secret: true, kind: keyKind };
}

/** The octets of the text that was sealed: those of the hexadecimal digits, or of the text in UTF-8. */
export function keyOctets(text: string): Uint8Array {
  const digits = HEX.exec(text)?.[1];
  if (digits === undefined) return new TextEncoder().encode(text);
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

const hostKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'ip-address',
  expects: 'an IP address',
  read(word) {
    const prefix = parsePrefix(word);
    if (prefix !== undefined && prefix.length < familyBits(prefix.address.family)) {
      return { problem: 'must be the address of one host' };
    }
    const address = prefix?.address ?? parseAddress(word);
    return address === undefined ? { problem: 'must be an IP address' } : { value: formatAddress(address) };
  },
  inDomain,
  print: (value) => value,
};

/** `address[%domain]`, also with the length of a single address behind it: `192.0.2.1/32`. */
export function hostAddress<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: hostKind };
}

const networkKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'ip-prefix',
  expects: 'an IP address, or a network with its length, as in 10.1.1.0/24',
  read(word) {
    const prefix = parsePrefix(word);
    if (prefix !== undefined) return { value: formatPrefix(prefix) };
    const address = parseAddress(word);
    if (address === undefined) {
      return { problem: 'must be an IP address, or a network with its length, as in 10.1.1.0/24' };
    }
    return { value: formatPrefix({ address, length: familyBits(address.family) }) };
  },
  inDomain,
  print: (value) => value,
};

/** `address[%domain]/length`; an address alone is a network of its own. */
export function network<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: networkKind };
}

/** An integer for which names may be written. */
export function namedInteger<const O extends PropertyOptions<number>>(
  { max, names }: { readonly max: number; readonly names: Readonly<Record<string, number>> },
  options: O,
): Property<number, Always<O>> {
  const words = Object.keys(names);
  const expects = `${words.join(', ')} or an integer from 0 to ${max}`;
  const kind: ScalarKind<number> = {
    shape: 'scalar',
    name: 'integer',
    expects,
    words,
    read(word) {
      const value = names[word] ?? (/^(0|[1-9][0-9]{0,9})$/.test(word) ? Number(word) : -1);
      return value < 0 || value > max ? { problem: `must be ${expects}` } : { value };
    },
    print: (value) => String(value),
  };
  return { ...options, kind };
}

/** The ports of UDP encapsulation, from and to. */
export type UdpPorts = { readonly source: number; readonly destination: number };

/** Of `4500:4500`; undefined of `none`. */
export function parseUdpPorts(value: string): UdpPorts | undefined {
  const [source, destination] = value.split(':');
  return destination === undefined ? undefined : { source: Number(source), destination: Number(destination) };
}

const PORTS = /^([1-9][0-9]{0,4})(?::([1-9][0-9]{0,4}))?$/;
const PORTS_EXPECT =
  'none, a UDP port for both sides as in 4500, or the one to send from and the one to send to as in 4500:4501';

const udpPortsKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'udp-ports',
  expects: PORTS_EXPECT,
  words: ['none'],
  read(word) {
    if (word === 'none') return { value: word };
    const [, source, destination = source] = PORTS.exec(word) ?? [];
    if (source === undefined || Number(source) > 65535 || Number(destination) > 65535) {
      return { problem: `must be ${PORTS_EXPECT}` };
    }
    return { value: `${source}:${destination}` };
  },
  print: (value) => value,
};

/** `none`, or UDP ports. */
export function udpPorts<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: udpPortsKind };
}
