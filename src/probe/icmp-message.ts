// What comes to a raw ICMP socket: replies to our echo requests, and errors about packets that we sent. It is hostile input.

import { checksumAdd, checksumFinish } from '../core/checksum.ts';
import { read16 } from '../core/octets.ts';
import { quoted, readIcmpv4Error, readIcmpv6Error } from '../wire/icmp-error.ts';
import {
  IPV4_FRAGMENT_OFFSET,
  IPV4_HEADER_OCTETS,
  IPV4_MORE_FRAGMENTS,
  IPV4_FLAGS,
  ipv4HeaderOctets,
  ipv4Protocol,
  IpProtocol,
} from '../wire/ipv4.ts';

export const ICMP_HEADER_OCTETS = 8;

/** Types of ICMP (RFC 792) and ICMPv6 (RFC 4443). */
export const EchoType = { request4: 8, reply4: 0, request6: 128, reply6: 129 } as const;
export const ErrorType = { unreachable4: 3, timeExceeded4: 11 } as const;
export const ErrorType6 = { unreachable: 1, tooBig: 2, timeExceeded: 3, parameterProblem: 4 } as const;

/** What the last `readIcmpMessage` has found; with an error also `quoted` of wire/icmp-error.ts. */
export const message = {
  isError: false,
  type: 0,
  code: 0,
  /** Where the ICMP header begins. */
  at: 0,
};

/**
 * Reads the first `end` octets of what the kernel gave: of IPv4 with its IP header, of ICMPv6 without, checksum checked. False:
 * nothing that concerns probes.
 */
export function readIcmpMessage(bytes: Uint8Array, end: number, family: 4 | 6): boolean {
  let at = 0;
  if (family === 4) {
    if (end < IPV4_HEADER_OCTETS || bytes[0]! >>> 4 !== 4 || ipv4Protocol(bytes, 0) !== IpProtocol.icmp) return false;
    // The kernel hands over whole packets only.
    if ((read16(bytes, IPV4_FLAGS) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) !== 0) return false;
    at = ipv4HeaderOctets(bytes, 0);
    if (at < IPV4_HEADER_OCTETS) return false;
  }
  if (end - at < ICMP_HEADER_OCTETS) return false;
  // Raw sockets of IPv4 get packets that the kernel has not checked yet.
  if (family === 4 && checksumFinish(checksumAdd(bytes, at, end, 0)) !== 0) return false;
  const type = bytes[at]!;
  message.at = at;
  message.type = type;
  message.code = bytes[at + 1]!;
  message.isError = false;
  if (type === (family === 4 ? EchoType.reply4 : EchoType.reply6)) return message.code === 0;
  message.isError = true;
  return family === 4 ? readIcmpv4Error(bytes, at, end) : readIcmpv6Error(bytes, at, end);
}

/** Identifier and sequence number of an echo request or reply whose ICMP header is at `at`. */
export const echoIdentifier = (bytes: Uint8Array, at: number): number => read16(bytes, at + 4);
export const echoSequence = (bytes: Uint8Array, at: number): number => read16(bytes, at + 6);

const UNREACHABLE_4 = [
  'network unreachable',
  'host unreachable',
  'protocol unreachable',
  'port unreachable',
  'packet too big',
  'source route failed',
  'network unknown',
  'host unknown',
  'source host isolated',
  'network prohibited',
  'host prohibited',
  'network unreachable for this type of service',
  'host unreachable for this type of service',
  'prohibited by a packet filter',
  'prohibited by precedence',
  'prohibited by precedence',
];
const UNREACHABLE_6 = [
  'no route',
  'prohibited by a packet filter',
  'beyond the scope of the source address',
  'host unreachable',
  'port unreachable',
  'source address not allowed',
  'route rejected',
  'error in the routing header',
];

/** The last message, an error, in words. */
export function errorWords(family: 4 | 6): string {
  const { type, code } = message;
  const isTimeExceeded = type === (family === 4 ? ErrorType.timeExceeded4 : ErrorType6.timeExceeded);
  if (isTimeExceeded) return code === 1 ? 'fragments missing' : 'time to live exceeded';
  const words = family === 4 ? UNREACHABLE_4 : UNREACHABLE_6;
  if (type === (family === 4 ? ErrorType.unreachable4 : ErrorType6.unreachable)) {
    return words[code] ?? `unreachable, code ${code}`;
  }
  return type === ErrorType6.tooBig ? 'packet too big' : 'protocol unreachable';
}

/** Whether the last message, an error, can only come from a target that is there. */
export function isRefusal(family: 4 | 6): boolean {
  const { type, code } = message;
  if (family === 4) return type === ErrorType.unreachable4 && (code === 2 || code === 3);
  return (type === ErrorType6.unreachable && code === 4) || (type === ErrorType6.parameterProblem && code === 1);
}

export { quoted };
