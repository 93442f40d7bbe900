// The TCP header (RFC 9293, section 3.1), as much of it as segmentation needs.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-------------------------------+
//   |          source port          |       destination port        |
//   +-------------------------------+-------------------------------+
//   |                        sequence number                        |
//   +---------------------------------------------------------------+
//   |                    acknowledgement number                     |
//   +-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
//   | data  | reser |C|E|U|A|P|R|S|F|            window             |
//   | offset| ved   |W|C|R|C|S|S|Y|I|                               |
//   |       |       |R|E|G|K|H|T|N|N|                               |
//   +-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
//   |           checksum            |        urgent pointer         |
//   +-------------------------------+-------------------------------+

export const TCP_HEADER_OCTETS = 20;

export const TCP_SEQUENCE = 4;
const DATA_OFFSET = 12;
export const TCP_FLAGS = 13;
export const TCP_CHECKSUM = 16;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_PSH = 0x08;
export const TCP_CWR = 0x80;

/** Octets of the header with its options; 0 when it is malformed or does not lie within the octets. */
export function tcpHeaderOctets(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < TCP_HEADER_OCTETS) return 0;
  const octets = (bytes[start + DATA_OFFSET]! >>> 4) << 2;
  return octets < TCP_HEADER_OCTETS || octets > end - start ? 0 : octets;
}
