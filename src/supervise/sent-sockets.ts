// Sockets that dnsd gets in the network namespaces of route domains, which it may not enter itself.

import { errorText } from '../core/errors.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import type { ParamsOf, ResultOf } from '../ipc/schema.ts';
import { namespaceFile, type PacketPlace, sendServerSocket, type ServerAddress } from '../net/server-socket.ts';
import type { JournalEntry } from './device-journal.ts';
import { HostPlace } from './host-path.ts';

type DeviceShown = { ifname: string; addr_info?: { local?: string }[] };

/** Opens a socket and sends it to the inbox. Throws an IpcError where there is none. */
export function sendSocket(
  entries: readonly JournalEntry[],
  { routeDomain, tag, ...where }: ParamsOf<'open-server-socket'>,
  inbox: string,
): ResultOf<'open-server-socket'> {
  const namespace = namespaceOf(entries, routeDomain);
  send({ ...where, namespace: namespaceFile(namespace) }, inbox, tag);
  return { namespace };
}

/** The same with a packet socket, and the device that has the address. */
export async function sendPacketSocket(
  entries: readonly JournalEntry[],
  { routeDomain, address, tag }: ParamsOf<'open-packet-socket'>,
  inbox: string,
): Promise<ResultOf<'open-packet-socket'>> {
  const namespace = namespaceOf(entries, routeDomain);
  const shown = await new HostPlace(namespace).json<DeviceShown>(['address', 'show']);
  const device = shown.find(({ addr_info: addresses = [] }) => addresses.some(({ local }) => local === address));
  if (device === undefined) {
    throw new IpcError('refused', `no device of route domain ${routeDomain} has the address ${address}`);
  }
  send({ namespace: namespaceFile(namespace) }, inbox, tag);
  return { namespace, device: device.ifname };
}

function namespaceOf(entries: readonly JournalEntry[], routeDomain: number): string {
  const namespace = entries.find(({ hostPath }) => hostPath?.routeDomain === routeDomain)?.hostPath?.namespace;
  if (namespace !== undefined && namespace !== null) return namespace;
  throw new IpcError('refused', `route domain ${routeDomain} has no self IP, so nothing can listen in it`);
}

function send(where: ServerAddress | PacketPlace, inbox: string, tag: number): void {
  try {
    sendServerSocket(where, inbox, tag);
  } catch (error) {
    throw new IpcError('failed', errorText(error));
  }
}
