// Whether a packet ring may join frames of one flow into super-frames (native-bindings/join.h).
//
// Whoever is on the other side shall see the frames that were sent. A card cuts a super-frame before it is on the wire, or
// the kernel does for it. The other end of a veth pair or of a TAP gets it whole, with an unfinished checksum, when
// the offloads of the device say that it can: a kernel there knows what to do with it, another program does not. So on
// devices without hardware frames are joined only where those offloads are off, and the kernel cuts and finishes.

/** What the kernel says of a device by `ethtool -i` (bus) and `ethtool -k` (offloads that are on). */
export type DeviceOffloads = { bus: string; active: readonly string[] };

/** What devices without hardware give as their bus. */
const NO_BUS: ReadonlySet<string> = new Set(['', 'N/A', 'tap', 'tun']);
/** By each of these a frame leaves the device unfinished. */
export const UNFINISHED_OFFLOADS: ReadonlySet<string> = new Set([
  'tx-checksum-ip-generic',
  'tx-checksum-ipv4',
  'tx-checksum-ipv6',
  'tx-tcp-segmentation',
  'tx-tcp6-segmentation',
  'tx-udp-segmentation',
]);

export function mayJoin({ bus, active }: DeviceOffloads): boolean {
  return !NO_BUS.has(bus) || !active.some((name) => UNFINISHED_OFFLOADS.has(name));
}
