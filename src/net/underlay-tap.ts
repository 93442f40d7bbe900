// An underlay TAP: a way into the kernel beside a packet socket, for super-frames that have the outer headers of a tunnel
// already (docs/decisions/underlay-tap.md). What is written to it leaves by the device that it is joined to, cut there or by
// the card, as what the kernel's own tunnels send.
//
//   super-frame ──► TAP ── tc: redirect ──► device
//
// Nothing is received by it, and it has neither addresses nor IPv6. It belongs to its descriptor: whatever ends the process
// removes the device, and with it the redirection.

import { errorText } from '../core/errors.ts';
import type { Addon } from '../native/addon.ts';
import { parseRtnetlink, setLinkRequest, setMtuRequest } from '../wire/rtnetlink.ts';
import { addIngressRequest, redirectRequest } from '../wire/traffic-control.ts';
import { NetlinkRequestError } from './netlink-socket.ts';

/** As the host sees it, with the first free number. */
const NAME = 'wideplane%d';
/** Less than every link with IPv6 has (RFC 8200, section 5), so the kernel does not speak IPv6 on it. It bounds nothing here. */
const MTU = 1279;

/**
 * Makes a TAP that leads to the device with this index; gives its descriptor, which is the caller's. Throws an Error that
 * says why there is none: then super-frames have to be cut before they are sent.
 */
export function openUnderlayTap(addon: Addon, deviceIndex: number): number {
  const [descriptor, index] = open(addon);
  try {
    const socket = addon.netlinkOpen(0);
    try {
      change(addon, socket, 'set its MTU', setMtuRequest(1, index, MTU));
      change(addon, socket, 'add a queueing discipline', addIngressRequest(2, index));
      change(addon, socket, 'add a redirection', redirectRequest(3, index, deviceIndex));
      change(addon, socket, 'bring it up', setLinkRequest(4, index, true));
    } finally {
      addon.closeDescriptor(socket);
    }
    return descriptor;
  } catch (error) {
    addon.closeDescriptor(descriptor);
    throw new Error(`the underlay TAP cannot be joined to its device: ${errorText(error)}`, { cause: error });
  }
}

function open(addon: Addon): [descriptor: number, index: number] {
  try {
    const [descriptor, index] = addon.underlayTapOpen(NAME);
    return [descriptor!, index!];
  } catch (error) {
    const isOld = (error as NodeJS.ErrnoException).code === 'EINVAL';
    const reason = isOld ? 'it needs Linux 6.17' : errorText(error);
    throw new Error(`there is no underlay TAP: ${reason}`, { cause: error });
  }
}

/** The kernel answers a change before the call that sends it returns. */
function change(addon: Addon, socket: number, what: string, message: Uint8Array): void {
  addon.netlinkSend(socket, message);
  const datagram = addon.netlinkReceive(socket);
  const answer = datagram === null ? undefined : parseRtnetlink(datagram).find(({ type }) => type === 'answer');
  if (answer?.type !== 'answer') throw new Error(`${what}: no answer`);
  if (answer.errno !== 0) throw new NetlinkRequestError(what, answer.errno);
}
