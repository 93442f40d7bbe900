// Which connections the host has by the devices of the host path: what a dataplaned that was started again did not see begin.

import { type ConnectedSocket, parseSocketTable } from '../net/socket-table.ts';
import type { JournalEntry } from './device-journal.ts';
import { HostPlace } from './host-path.ts';

export type HostSocket = ConnectedSocket & { routeDomain: number };

/** More than fit in a message are connections of a host that has little else to do. */
const MOST_SOCKETS = 5000;

const LOOPBACK = /^(127\.|::1$)/;

/** The connected TCP sockets in each place where there is such a device, of whatever addresses. */
export async function readHostSockets(entries: readonly JournalEntry[]): Promise<HostSocket[]> {
  const places = new Map(
    entries.flatMap(({ hostPath }) => (hostPath ? [[hostPath.routeDomain, hostPath.namespace]] : [])),
  );
  const sockets: HostSocket[] = [];
  for (const [routeDomain, namespace] of places) {
    const { stdout } = await new HostPlace(namespace ?? undefined).sh('cat /proc/net/tcp /proc/net/tcp6');
    for (const socket of parseSocketTable(stdout.toString())) {
      if (!LOOPBACK.test(socket.local)) sockets.push({ ...socket, routeDomain });
    }
  }
  return sockets.slice(0, MOST_SOCKETS);
}
