// The way out of a bridge domain by an interface: without a tag, with one or with two, within the VLAN's MTU.
//
// The priority of a frame that came in with a tag is that of all tags it leaves with.

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
import type { InterfaceMemberSpec } from './spec.ts';

/** Priority and DEI of a TCI. */
const PRIORITY_MASK = 0xffff & ~VLAN_ID_MASK;

export class InterfaceOutlet implements Outlet {
  readonly #slot: PortSlot;
  readonly #disposal: Disposal;
  /** VLAN ID of the (outer) tag that leaving frames get; 0: none. */
  readonly #vlan: number;
  /** VLAN ID of the inner one; 0: none. */
  readonly #innerVlan: number;
  readonly #tpid: number;
  readonly #tagOctets: number;
  readonly #row: number;
  readonly #maxOctets: number;

  constructor(slot: PortSlot, spec: InterfaceMemberSpec, disposal: Disposal) {
    const { vlan, innerVlan = 0, tpid = EtherType.vlan, mtu, row } = spec;
    this.#slot = slot;
    this.#vlan = vlan;
    this.#innerVlan = innerVlan;
    this.#tpid = tpid;
    this.#tagOctets = innerVlan === 0 ? VLAN_TAG_OCTETS : 2 * VLAN_TAG_OCTETS;
    this.#row = row;
    this.#maxOctets = mtu + ETHERNET_HEADER_OCTETS;
    this.#disposal = disposal;
  }

  get cutsTunnelled(): boolean {
    return this.#slot.port.cutsTunnelled === true;
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
      if (frame.start - this.#tagOctets < frame.headroomStart) {
        disposal.drop(frame, Drop.noHeadroom, this.#row);
        return;
      }
      const priority = frame.vlanTci & PRIORITY_MASK;
      if (this.#innerVlan !== 0) {
        frame.start = insertVlanTag(bytes, frame.start, EtherType.vlan, priority | this.#innerVlan);
      }
      frame.start = insertVlanTag(bytes, frame.start, this.#tpid, priority | this.#vlan);
    }
    this.#slot.push(frame);
  }
}
