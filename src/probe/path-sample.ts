// One packet to a resolver that is no echo request, and how long its answer took: a connection to port 53, a datagram that nobody
// listens for, or a question. Also a refusal is an answer: it comes from where the way ends.

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { encode } from 'dns-packet';
import { addressOctets, formatBareAddress, type IpAddress } from '../core/address.ts';

const DNS_PORT = 53;
/** Where traceroute begins: nobody listens there. */
const UNUSED_PORT = 33_434;
const ID_OCTETS = 2;
const HEADER_OCTETS = 12;

const REFUSED = 'ECONNREFUSED';

/** Microseconds until the connection was there or was refused; undefined: neither within the time. */
export function sampleTcp(address: IpAddress, timeoutMs: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const start = performance.now();
    const socket = connect({ host: formatBareAddress(address), port: DNS_PORT });
    const timer = setTimeout(() => finish(false), timeoutMs);
    const finish = (isAnswer: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isAnswer ? microsSince(start) : undefined);
    };
    socket.on('connect', () => finish(true));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code === REFUSED));
  });
}

/** The same for a datagram to a port that nobody listens at: that is said by ICMP. */
export function sampleUdp(address: IpAddress, timeoutMs: number): Promise<number | undefined> {
  return exchange(address, UNUSED_PORT, Buffer.alloc(1), () => true, timeoutMs);
}

/** A question for the name servers of the root, or for the name of the resolver's own address. Any reply counts. */
export function sampleDns(
  question: 'dns_dot' | 'dns_rev',
  address: IpAddress,
  timeoutMs: number,
): Promise<number | undefined> {
  const id = randomInt(65_536);
  const query = encode({
    type: 'query',
    id,
    flags: 0,
    questions: [question === 'dns_dot' ? { type: 'NS', name: '.' } : { type: 'PTR', name: reverseName(address) }],
  });
  const isReply = (reply: Buffer): boolean =>
    reply.length >= HEADER_OCTETS && reply.readUInt16BE(0) === id && (reply[ID_OCTETS]! & 0x80) !== 0;
  return exchange(address, DNS_PORT, query, isReply, timeoutMs);
}

function exchange(
  address: IpAddress,
  port: number,
  packet: Buffer,
  isAnswer: (reply: Buffer) => boolean,
  timeoutMs: number,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    // A socket for each: the kernel picks a port by chance, and hands over what comes from there alone.
    const socket = createSocket(address.family === 4 ? 'udp4' : 'udp6');
    let start = performance.now();
    let isOver = false;
    const finish = (isAnswered: boolean): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.close();
      resolve(isAnswered ? microsSince(start) : undefined);
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code === REFUSED));
    socket.on('message', (reply) => {
      if (isAnswer(reply)) finish(true);
    });
    socket.on('connect', () => {
      if (isOver) return;
      start = performance.now();
      socket.send(packet);
    });
    socket.connect(port, formatBareAddress(address));
  });
}

const microsSince = (start: number): number => Math.max(1, Math.round(1000 * (performance.now() - start)));

/** `1.2.0.192.in-addr.arpa`. */
export function reverseName(address: IpAddress): string {
  const octets = [...addressOctets(address)].reverse();
  if (address.family === 4) return `${octets.join('.')}.in-addr.arpa`;
  const nibbles = octets.flatMap((octet) => [octet & 15, octet >>> 4]);
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
}
