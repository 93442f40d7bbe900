// What a TCP connection of the mesh is given, and what the kernel has taken of it.

import type { Socket } from 'node:net';
import { loadAddon } from '../../native/addon.ts';

/** Of a connection on which nothing is sent. */
const KEEPALIVE_MS = 10_000;

type Handle = { readonly fd?: number; readonly bytesWritten?: number; readonly writeQueueSize?: number };

/** Node has no other way to the descriptor of a connection, and to what waits in it. */
const handleOf = (socket: Socket): Handle | undefined =>
  (socket as unknown as { _handle?: Handle | null })._handle ?? undefined;

/** `patienceMs`: what was sent and is not acknowledged for so long breaks the connection; without the addon the system's patience holds. */
export function setSocketOptions(socket: Socket, patienceMs: number): void {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_MS);
  const descriptor = handleOf(socket)?.fd;
  if (descriptor !== undefined && descriptor >= 0) loadAddon().addon?.tcpUserTimeout(descriptor, patienceMs);
}

/** Octets that the network has taken of what was sent. */
export function octetsTaken(socket: Socket): number {
  const handle = handleOf(socket);
  if (handle?.bytesWritten === undefined) return 0;
  return handle.bytesWritten - (handle.writeQueueSize ?? 0);
}

/** Octets that were sent and wait for the network. */
export const octetsWaiting = (socket: Socket): number => handleOf(socket)?.writeQueueSize ?? 0;
