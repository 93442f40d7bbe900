// The way out by an interface that carries IP packets without Ethernet headers: a TUN device.

import { Column, ROW_STRIDE } from '../../core/counters.ts';
import { Drop } from '../../core/drop-reason.ts';
import { type Frame, Gso } from '../../packet/frame.ts';
import { Direction } from '../../pipeline/tap.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import type { PortSlot } from './port-slot.ts';
import type { InterfaceMemberSpec } from './spec.ts';

export class PacketOutlet implements Outlet {
  readonly #slot: PortSlot;
  readonly #disposal: Disposal;
  readonly #row: number;
  readonly #mtu: number;

  constructor(slot: PortSlot, { mtu, row }: InterfaceMemberSpec, disposal: Disposal) {
    this.#slot = slot;
    this.#disposal = disposal;
    this.#row = row;
    this.#mtu = mtu;
  }

  /** Takes a packet; the segments of a super-frame have been found to fit. */
  push(frame: Frame): void {
    const disposal = this.#disposal;
    const octets = frame.end - frame.start;
    if (octets > this.#mtu && frame.gsoType === Gso.none) {
      disposal.drop(frame, Drop.vlanMtuExceeded, this.#row);
      return;
    }
    const base = this.#row * ROW_STRIDE;
    disposal.counters.cells[base + Column.outFrames]! += 1;
    disposal.counters.cells[base + Column.outOctets]! += octets;
    if (disposal.tap.passing) disposal.tap.recordPass(frame, this.#row, Direction.outbound);
    this.#slot.push(frame);
  }
}
