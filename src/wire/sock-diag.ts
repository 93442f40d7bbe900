// sock_diag messages (linux/sock_diag.h, linux/inet_diag.h): the question for all TCP sockets in some states, and the answers.
//
//   netlink header 16   length, type 20, flags, sequence number, port ID (as in rtnetlink.ts)
//   request             family 1, protocol 1, extensions 1, 1, states 4, socket 48
//   answer              family 1, state 1, timer 1, retransmissions 1, socket 48, expires 4, queues 8, user 4, inode 4
//   socket              local port 2, remote port 2, local address 16, remote address 16, interface 4, cookie 8
//
// Ports and addresses are in network order, all else in host order.

import { read16, read32 } from '../core/octets.ts';

const HEADER_OCTETS = 16;
const REQUEST_OCTETS = 56;
const ANSWER_OCTETS = 72;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x301;
const IPPROTO_TCP = 6;
const LOCAL_PORT = 4;
const LOCAL_ADDRESS = 8;

export const DiagFamily = { ipv4: 2, ipv6: 10 } as const;
export type DiagFamily = (typeof DiagFamily)[keyof typeof DiagFamily];

/** Bits of states of TCP. */
export const TcpState = { established: 1 << 1 } as const;

/** The question for all sockets of a family that are in one of these states. */
export function composeTcpDump(family: DiagFamily, states: number, sequence: number): Uint8Array {
  const message = new Uint8Array(HEADER_OCTETS + REQUEST_OCTETS);
  // The order of this machine.
  new Uint32Array(message.buffer, 0, 1)[0] = message.length;
  new Uint16Array(message.buffer, 4, 2).set([SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP]);
  new Uint32Array(message.buffer, 8, 1)[0] = sequence;
  message.set([family, IPPROTO_TCP], HEADER_OCTETS);
  new Uint32Array(message.buffer, HEADER_OCTETS + 4, 1)[0] = states;
  return message;
}

/** What the last call of a `SocketVisitor` is about; the object is used again for each. */
export type FoundSocket = {
  /** Of the local address: IPv4 by a socket of IPv6 is 4. */
  family: 4 | 6;
  port: number;
  /** As `IpAddress` has them. */
  readonly words: Int32Array;
};

export const newFoundSocket = (): FoundSocket => ({ family: 4, port: 0, words: new Int32Array(4) });

/**
 * Reads the answers of one datagram to the question with this number, and calls back for each socket. Resolves to `more`, `done`, or
 * the errno, below 0, with which the kernel refuses. What is damaged ends the reading: `more`.
 */
export function readTcpDump(
  datagram: Uint8Array,
  sequence: number,
  found: FoundSocket,
  visit: () => void,
): 'more' | 'done' | number {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let at = 0;
  while (at + HEADER_OCTETS <= datagram.length) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    if (length < HEADER_OCTETS || at + length > datagram.length) return 'more';
    const type = view.getUint16(at + 4, LITTLE_ENDIAN);
    if (view.getUint32(at + 8, LITTLE_ENDIAN) === sequence) {
      if (type === NLMSG_DONE) return 'done';
      if (type === NLMSG_ERROR) return length < HEADER_OCTETS + 4 ? 'more' : view.getInt32(at + 16, LITTLE_ENDIAN);
      if (type === SOCK_DIAG_BY_FAMILY && length >= HEADER_OCTETS + ANSWER_OCTETS) {
        readSocket(datagram, at + HEADER_OCTETS, found);
        visit();
      }
    }
    at += (length + 3) & ~3;
  }
  return 'more';
}

function readSocket(datagram: Uint8Array, at: number, found: FoundSocket): void {
  const { words } = found;
  const address = at + LOCAL_ADDRESS;
  found.port = read16(datagram, at + LOCAL_PORT);
  found.family = 6;
  for (let word = 0; word < 4; word++) words[word] = read32(datagram, address + 4 * word);
  const isMapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  if (datagram[at] !== DiagFamily.ipv4 && !isMapped) return;
  found.family = 4;
  words[3] = datagram[at] === DiagFamily.ipv4 ? words[0]! : words[3]!;
  words[0] = words[1] = words[2] = 0;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
