// The way out of a bridge domain by an interface: tagged or not, within the VLAN's MTU.

import { Column, ROW_STRIDE } from '../../core/counters.ts';
import { Drop } from '../../core/drop-reason.ts';
import { type Frame, Gso } from '../../packet/frame.ts';
import { segmentOctets } from '../../packet/segment.ts';
import { Direction } from '../../pipeline/tap.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import {
  ETHERNET_HEADER_OCTETS,
  EtherType,
  insertVlanTag,
  isVlanTagged,
  VLAN_ID_MASK,
  VLAN_TAG_OCTETS,
} from '../../wire/ethernet.ts';
import type { PortSlot } from './port-slot.ts';

/** Priority and DEI of a TCI. */
const PRIORITY_MASK = 0xffff & ~VLAN_ID_MASK;

export class InterfaceOutlet implements Outlet {
  readonly #slot: PortSlot;
  readonly #disposal: Disposal;
  /** VLAN ID of the tag that leaving frames get; 0: none. */
  readonly #vlan: number;
  readonly #row: number;
  readonly #maxOctets: number;

  /** `mtu`: of the VLAN, in octets of IP packet. */
  constructor(slot: PortSlot, vlan: number, mtu: number, row: number, disposal: Disposal) {
    this.#slot = slot;
    this.#vlan = vlan;
    this.#row = row;
    this.#maxOctets = mtu + ETHERNET_HEADER_OCTETS;
    this.#disposal = disposal;
  }

  push(frame: Frame): void {
    const disposal = this.#disposal;
    const octets = frame.end - frame.start;
    const { bytes } = disposal.pool.arena;
    if (octets > this.#maxOctets) {
      const largest = frame.gsoType === Gso.none ? octets : segmentOctets(bytes, frame);
      const limit = this.#maxOctets + (isVlanTagged(bytes, frame.start) ? VLAN_TAG_OCTETS : 0);
      // A tag of the customer's own does not count towards the MTU.
      if (largest > limit) {
        disposal.drop(frame, Drop.vlanMtuExceeded, this.#row);
        return;
      }
    }
    const base = this.#row * ROW_STRIDE;
    disposal.counters.cells[base + Column.outFrames]! += 1;
    disposal.counters.cells[base + Column.outOctets]! += octets;
    if (disposal.tap.passing) disposal.tap.recordPass(frame, this.#row, Direction.outbound);
    if (this.#vlan !== 0) {
      if (frame.start - VLAN_TAG_OCTETS < frame.headroomStart) {
        disposal.drop(frame, Drop.noHeadroom, this.#row);
        return;
      }
      const tci = (frame.vlanTci & PRIORITY_MASK) | this.#vlan;
      frame.start = insertVlanTag(bytes, frame.start, EtherType.vlan, tci);
    }
    this.#slot.push(frame);
  }
}
