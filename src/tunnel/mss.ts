// The TCP segment size that the hosts behind a tunnel agree on, lowered to what the tunnel carries (`mss-clamp`).

import type { Arena } from '../packet/arena.ts';
import { completeUnannouncedChecksum } from '../packet/complete-checksum.ts';
import type { Frame } from '../packet/frame.ts';
import { clampMss, findSyn, mssOfIpv4, mssOfIpv6 } from '../packet/mss-clamp.ts';
import { findIp } from './ecn.ts';

/** Values of `mss-clamp` besides a number of octets. */
export const MssClamp = { disabled: 0, auto: -1 } as const;

/**
 * Lowers the option of a SYN in a frame, or in a packet with `isPacket`; anything else stays as it is. `setting`: a value of
 * MssClamp or octets; `mtu`: what the tunnel carries.
 */
export function clampTunnelled(arena: Arena, frame: Frame, isPacket: boolean, setting: number, mtu: number): void {
  const { bytes } = arena;
  const { start, end } = frame;
  const ip = isPacket ? start : findIp(bytes, start, end);
  const tcp = ip === 0 ? 0 : findSyn(bytes, ip, end);
  if (tcp === 0) return;
  // A checksum that is unfinished without saying so could not be told from a wrong one afterwards.
  if (frame.offloadsUnknown !== 0 && frame.checksumStart === 0) completeUnannouncedChecksum(arena, frame, isPacket);
  const most = bytes[ip]! >>> 4 === 4 ? mssOfIpv4(mtu) : mssOfIpv6(mtu);
  clampMss(bytes, tcp, end, setting === MssClamp.auto ? Math.max(0, most) : setting, frame.checksumStart === 0);
}
