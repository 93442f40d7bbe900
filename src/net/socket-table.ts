// The kernel's table of TCP sockets, as /proc/net/tcp and tcp6 print it (proc(5)): those that are connected.
//
//   sl  local_address rem_address   st ...
//    0: 0101A8C0:0016 0201A8C0:C5E2 01 ...     words of an address in host order, port in network order, both hexadecimal

import { endianness } from 'node:os';
import { type AddressWords, formatWords } from '../core/address.ts';

export type ConnectedSocket = { local: string; localPort: number; remote: string; remotePort: number };

/** ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING (net/tcp_states.h). */
const CONNECTED = new Set([1, 2, 3, 4, 5, 8, 9, 11]);
const LINE = /^\s*\d+: ([0-9A-F]{8,32}):([0-9A-F]{4}) ([0-9A-F]{8,32}):([0-9A-F]{4}) ([0-9A-F]{2}) /;

/** The connected sockets of such a table; lines that are none are left out. */
export function parseSocketTable(text: string, isLittleEndian = endianness() === 'LE'): ConnectedSocket[] {
  return text.split('\n').flatMap((line) => {
    const [, local, localPort, remote, remotePort, state] = LINE.exec(line) ?? [];
    if (local === undefined || !CONNECTED.has(parseInt(state!, 16))) return [];
    return [
      {
        local: addressOf(local, isLittleEndian),
        localPort: parseInt(localPort!, 16),
        remote: addressOf(remote!, isLittleEndian),
        remotePort: parseInt(remotePort!, 16),
      },
    ];
  });
}

function addressOf(hex: string, isLittleEndian: boolean): string {
  const words = (hex.match(/.{8}/g) ?? []).map((text) => {
    const octets = Buffer.from(text, 'hex');
    return isLittleEndian ? octets.readInt32LE() : octets.readInt32BE();
  });
  // An IPv4 address; an IPv6 socket has it mapped (::ffff:0:0/96).
  const isIpv4 = words.length === 1 || (words[0] === 0 && words[1] === 0 && words[2] === 0xffff);
  return formatWords(isIpv4 ? [0, 0, 0, words.at(-1)!] : (words as unknown as AddressWords));
}
