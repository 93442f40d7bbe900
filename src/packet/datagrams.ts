// Datagrams that came joined (GRO, UDP_SEGMENT of a sender on this host) as frames of their own, where they lie: only the first has
// headers in front of it, each other one the datagram before it. So they have no headroom, and no headers that a capture could show.

import { copyMetadata, Frame, type FrameBatch } from './frame.ts';

/** UDP_MAX_SEGMENTS of linux/udp.h. */
const MAX_DATAGRAMS = 128;

export class DatagramFrames {
  readonly #frames: Frame[] = [];
  #used = 0;

  /**
   * Appends a frame for each datagram of a super-frame of UDP in a port's memory, whose first payload begins at `payload`. They
   * hold the payloads, and live as long as the super-frame's octets do, or until `clear`.
   */
  split(source: Frame, payload: number, into: FrameBatch): void {
    const { end, gsoSize } = source;
    for (let at = payload; at < end; at += gsoSize) {
      const frame = (this.#frames[this.#used++] ??= new Frame());
      copyMetadata(source, frame);
      frame.start = at;
      frame.end = Math.min(at + gsoSize, end);
      frame.headroomStart = at;
      frame.outerStart = 0;
      frame.checksumStart = 0;
      frame.checksumOffset = 0;
      frame.ownUdp = 0;
      frame.gsoType = 0;
      frame.gsoSize = 0;
      frame.innerStart = 0;
      frame.truncatedFrom = 0;
      into.push(frame);
    }
  }

  /** Takes all of them back: none is on its way any more. */
  clear(): void {
    this.#used = 0;
  }
}

/** Whether a super-frame of UDP can be split where it lies: none of a kernel holds more than so many. */
export const canSplit = ({ slot, end, gsoSize }: Frame, payload: number): boolean =>
  slot === -1 && end - payload <= gsoSize * MAX_DATAGRAMS;
