// What sockets of this machine send, in front of IPsec. Transport mode protects whole packets only (RFC 4303, section 3.1.1): what the
// host has cut is put together before it is sealed, and cut again behind that.

import type { Domain } from '../../bridge/domain.ts';
import { FragmentKind, selectors } from '../../ipsec/packet-selectors.ts';
import type { Frame } from '../../packet/frame.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { Reassembly } from '../../route/reassembly.ts';
import type { IpsecGate } from './ipsec-gate.ts';

/** Packets of the host that may wait for their last fragment: it sends them one right behind the other. */
const MAX_PACKETS = 16;

export class HostProtection {
  nowMs = 0;
  readonly #gate: IpsecGate;
  readonly #bytes: Uint8Array;
  readonly #reassembly: Reassembly;

  constructor(gate: IpsecGate, disposal: Disposal) {
    this.#gate = gate;
    this.#bytes = disposal.pool.arena.bytes;
    this.#reassembly = new Reassembly(disposal, MAX_PACKETS);
  }

  /** Takes a packet of the host if a selector is for it; false: it goes as it is. */
  take(frame: Frame, { id, routeDomain }: Domain): boolean {
    const gate = this.#gate;
    const selector = gate.matchOwn(frame, routeDomain);
    if (selector === undefined) return false;
    const isPiece = selectors.fragment !== FragmentKind.none && selector.action === 'protect';
    if (isPiece && gate.associations.findOutbound(selector.policy)?.spec.sa.isTunnel === false) {
      const { start } = frame;
      const isIpv4 = this.#bytes[start]! >>> 4 === 4;
      const whole = isIpv4
        ? this.#reassembly.acceptIpv4(frame, start, id, selector.row, this.nowMs)
        : this.#reassembly.acceptIpv6(frame, start, id, selector.row, this.nowMs);
      if (whole !== undefined) gate.take(whole, selector);
      return true;
    }
    gate.take(frame, selector);
    return true;
  }

  /** Drops what the host has not finished in time; a few times a second. */
  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.#reassembly.tick(nowMs);
  }

  forgetMember(id: number): void {
    this.#reassembly.forgetMember(id);
  }
}
