// What becomes of packets for our own addresses that nothing in the data plane takes.

import type { Domain, Member } from '../../bridge/domain.ts';
import { Drop } from '../../core/drop-reason.ts';
import type { Frame } from '../../packet/frame.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { IpProtocol, ipv4Protocol } from '../../wire/ipv4.ts';
import { ipv6NextHeader } from '../../wire/ipv6.ts';

export interface LocalDelivery {
  /**
   * Takes a packet with a checked header, from its IP header on, for an address that is ours on `domain`. Where the frame
   * came in by its Ethernet header is in front of it still, and `outerStart` is where that starts.
   */
  accept(frame: Frame, domain: Domain): void;

  /** The same for a fragment; false when it was not taken: it may be of a packet for something in the data plane. */
  acceptFragment(frame: Frame, domain: Domain): boolean;

  /** The same for a packet to a group that came in on `domain`, whole or in fragments; false when nobody has joined it there. */
  acceptGroup(frame: Frame, domain: Domain): boolean;
}

/** Nobody is behind our addresses. */
export class NoDelivery implements LocalDelivery {
  readonly #members: readonly (Member | undefined)[];
  readonly #disposal: Disposal;

  constructor(members: readonly (Member | undefined)[], disposal: Disposal) {
    this.#members = members;
    this.#disposal = disposal;
  }

  accept(frame: Frame): void {
    const { bytes } = this.#disposal.pool.arena;
    const { start } = frame;
    const protocol = bytes[start]! >>> 4 === 4 ? ipv4Protocol(bytes, start) : ipv6NextHeader(bytes, start);
    const why = protocol === IpProtocol.udp ? Drop.unknownTunnelPort : Drop.localUnsupported;
    this.#disposal.drop(frame, why, this.#members[frame.member]?.row ?? 0);
  }

  acceptFragment(): boolean {
    return false;
  }

  acceptGroup(): boolean {
    return false;
  }
}
