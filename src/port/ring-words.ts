// The descriptor words of a frame besides its octets (RING_* in src/native/addon.ts), to and from a Frame.

import {
  RING_CHECKSUM_PARTIAL,
  RING_CHECKSUM_VERIFIED,
  RING_GSO,
  RING_OWN_UDP,
  RING_TRUNCATED,
  RING_TUNNELLED,
} from '../native/addon.ts';
import { type Frame, Gso, HEADROOM_OCTETS, resetMetadata } from '../packet/frame.ts';

/** Makes a frame of what was received into memory with the usual headroom. */
export function readFrame(frame: Frame, words: Int32Array, at: number, port: number): void {
  const start = words[at]!;
  resetMetadata(frame);
  frame.start = start;
  frame.end = start + words[at + 1]!;
  frame.headroomStart = start - HEADROOM_OCTETS;
  frame.port = port;
  if ((words[at + 2]! | words[at + 3]!) !== 0) describe(frame, words, at);
}

/** Describes a frame for sending. */
export function writeFrame(frame: Frame, words: Int32Array, at: number): void {
  words[at] = frame.start;
  words[at + 1] = frame.end - frame.start;
  words[at + 3] = frame.ownUdp * RING_OWN_UDP;
  if ((frame.checksumStart | frame.gsoType) !== 0) announce(frame, words, at);
}

/** What the adapter knows of a frame besides its octets. */
function describe(frame: Frame, words: Int32Array, at: number): void {
  const vlan = words[at + 2]!;
  const flags = words[at + 3]!;
  frame.vlanTci = vlan & 0xffff;
  frame.vlanTpid = vlan >>> 16;
  if ((flags & RING_CHECKSUM_VERIFIED) !== 0) frame.checksumVerified = 1;
  if ((flags & RING_CHECKSUM_PARTIAL) !== 0) {
    const checksum = words[at + 4]!;
    frame.checksumStart = frame.start + (checksum & 0xffff);
    frame.checksumOffset = checksum >>> 16;
  }
  if ((flags & RING_GSO) !== 0) {
    const gso = words[at + 5]!;
    frame.gsoType = gso & 0xff;
    frame.gsoSize = gso >>> 16;
  } else if ((flags & RING_TRUNCATED) !== 0) {
    frame.truncatedFrom = words[at + 5]!;
  }
}

/** Leaves an unfinished checksum or a segmentation to the kernel. */
function announce(frame: Frame, words: Int32Array, at: number): void {
  words[at + 3] = RING_CHECKSUM_PARTIAL;
  words[at + 4] = (frame.checksumStart - frame.start) | (frame.checksumOffset << 16);
  if (frame.gsoType === Gso.none) return;
  words[at + 3] = RING_CHECKSUM_PARTIAL | RING_GSO | (frame.ownUdp * RING_OWN_UDP);
  words[at + 5] = frame.gsoType | (frame.gsoSize << 16);
  if (frame.innerStart === 0) return;
  words[at + 2] = frame.innerStart - frame.start;
  words[at + 3] = RING_CHECKSUM_PARTIAL | RING_GSO | RING_TUNNELLED | (frame.ownUdp * RING_OWN_UDP);
}
