// The binary dumps of `ip address save` and `ip route save`: a magic number, then netlink messages (RFC 3549).
//
// They carry every attribute exactly, where text or JSON loses some (flags, remaining life times, metrics).

const MAGIC_OCTETS = 4;
const NLMSG_HEADER_OCTETS = 16;
/** Offset of rtm_protocol in struct rtmsg. */
const RTM_PROTOCOL = 5;
/** RTPROT_KERNEL: such routes come and go with the addresses. */
const RTPROT_KERNEL = 2;

/** The dump without the routes that the kernel makes by itself; empty when none is left. */
export function withoutKernelRoutes(dump: Buffer): Buffer {
  const kept = messages(dump).filter((message) => message[NLMSG_HEADER_OCTETS + RTM_PROTOCOL] !== RTPROT_KERNEL);
  return kept.length === 0 ? Buffer.alloc(0) : Buffer.concat([dump.subarray(0, MAGIC_OCTETS), ...kept]);
}

/** The dump itself, or nothing when it holds no message. */
export const orEmpty = (dump: Buffer): Buffer => (messages(dump).length === 0 ? Buffer.alloc(0) : dump);

function messages(dump: Buffer): Buffer[] {
  const found: Buffer[] = [];
  let offset = MAGIC_OCTETS;
  while (offset + NLMSG_HEADER_OCTETS <= dump.length) {
    const length = dump.readUInt32LE(offset);
    const aligned = (length + 3) & ~3;
    if (length < NLMSG_HEADER_OCTETS || offset + aligned > dump.length) break;
    found.push(dump.subarray(offset, offset + aligned));
    offset += aligned;
  }
  return found;
}
