// Sockets of probes. Those of a transparent monitor have a mark, by which the kernel routes what they send to a next hop
// (src/supervise/next-hops.ts); Node.js knows of none, so the addon opens such a socket, and Node.js goes on with it.

import { createSocket, type Socket } from 'node:dgram';
import type { Socket as StreamSocket } from 'node:net';
import { Duplex } from 'node:stream';
import type { ProbePlace } from '../health/probe.ts';
import { loadAddon } from '../native/addon.ts';
import { IpProtocol } from '../wire/ipv4.ts';

/** `mark`: of the packets of a probe; absent: none. */
export type RoutedPlace = ProbePlace & { readonly mark?: number };

/** Options of a TCP socket that is going to connect to a place. Throws where there cannot be one. */
export function streamOptions({ family, mark }: RoutedPlace): object {
  // It is not to be read before it is connected.
  return mark === undefined ? {} : { fd: markedDescriptor(family, IpProtocol.tcp, mark), manualStart: true };
}

/** A UDP socket that is going to connect to a place. Throws where there cannot be one. */
export function datagramSocket({ family, mark }: RoutedPlace): Socket {
  const descriptor = mark === undefined ? undefined : markedDescriptor(family, IpProtocol.udp, mark);
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  if (descriptor !== undefined) socket.bind({ fd: descriptor });
  return socket;
}

/** What goes through a socket, without its handle. */
export function streamOf(socket: StreamSocket): Duplex {
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    final(done) {
      socket.end();
      done();
    },
  });
  socket.on('data', (chunk) => {
    if (!stream.push(chunk)) socket.pause();
  });
  socket.on('end', () => stream.push(null));
  socket.on('close', () => stream.destroy());
  return stream;
}

function markedDescriptor(family: 4 | 6, protocol: number, mark: number): number {
  const loaded = loadAddon();
  if (loaded.addon === undefined) throw new Error(`no probes by a next hop: ${loaded.reason}`);
  return loaded.addon.markedSocket(family, protocol, mark);
}
