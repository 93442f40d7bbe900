// The first step behind a port: which bridge member a frame came in by, or which tunnel listener it was sent to.
//
// A VLAN tag may stand in the octets or, restored by the receiving ring's metadata, beside them. Either way the frame goes
// on without the tags that its VLAN has on this interface, one or two of them. Any other tag is payload, and stands in the
// octets: an 802.1ad tag where no VLAN has a service tag, the tag of a customer behind a service tag that stands alone.

import { Column, ROW_STRIDE } from '../../core/counters.ts';
import { Drop } from '../../core/drop-reason.ts';
import type { Frame, FrameBatch } from '../../packet/frame.ts';
import { Book } from '../../pipeline/books.ts';
import { Direction } from '../../pipeline/tap.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import {
  ETHERNET_HEADER_OCTETS,
  EtherType,
  etherType,
  insertVlanTag,
  stripVlanTag,
  VLAN_ID_MASK,
  VLAN_TAG_OCTETS,
  vlanTci,
} from '../../wire/ethernet.ts';
import type { PortSlot } from './port-slot.ts';

export class Ingress {
  readonly #disposal: Disposal;
  readonly #toBridge: FrameBatch;
  readonly #toDecapsulate: FrameBatch;
  readonly #toRoute: FrameBatch;

  constructor(disposal: Disposal, toBridge: FrameBatch, toDecapsulate: FrameBatch, toRoute: FrameBatch) {
    this.#disposal = disposal;
    this.#toBridge = toBridge;
    this.#toDecapsulate = toDecapsulate;
    this.#toRoute = toRoute;
  }

  /** Takes the frames that a port has received and empties the batch. */
  accept(slot: PortSlot, batch: FrameBatch): void {
    const disposal = this.#disposal;
    const { frames, length } = batch;
    disposal.books[Book.received]! += length;
    let octets = 0;
    for (let index = 0; index < length; index++) octets += frames[index]!.end - frames[index]!.start;
    const base = slot.row * ROW_STRIDE;
    disposal.counters.cells[base + Column.inFrames]! += length;
    disposal.counters.cells[base + Column.inOctets]! += octets;
    if (disposal.tap.passing) {
      for (let index = 0; index < length; index++) {
        disposal.tap.recordPass(frames[index]!, slot.row, Direction.inbound);
      }
    }
    const { medium } = slot.port;
    if (medium === 'udp' || medium === 'raw-ip') this.#acceptDatagrams(slot, batch);
    else if (medium === 'ip') this.#acceptPackets(slot, batch);
    else this.#acceptFrames(slot, batch);
    batch.clear();
  }

  #acceptDatagrams(slot: PortSlot, batch: FrameBatch): void {
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      frame.listener = slot.listener;
      frame.outerStart = frame.start;
      if (frame.truncatedFrom !== 0) this.#disposal.drop(frame, Drop.frameTooLong, slot.row);
      else this.#toDecapsulate.push(frame);
    }
  }

  /** Packets without Ethernet headers have no tags: all belong to the one VLAN of the interface. */
  #acceptPackets(slot: PortSlot, batch: FrameBatch): void {
    const disposal = this.#disposal;
    const member = slot.memberByVlan[0]!;
    const base = slot.rowOf(member) * ROW_STRIDE;
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      if (frame.truncatedFrom !== 0) {
        disposal.drop(frame, Drop.frameTooLong, slot.row);
        continue;
      }
      if (member === -1) {
        disposal.drop(frame, Drop.unknownVlan, slot.row);
        continue;
      }
      disposal.counters.cells[base + Column.inFrames]! += 1;
      disposal.counters.cells[base + Column.inOctets]! += frame.end - frame.start;
      frame.member = member;
      frame.endpoint = -1;
      if (disposal.tap.passing) disposal.tap.recordPass(frame, slot.rowOf(member), Direction.inbound);
      this.#toRoute.push(frame);
    }
  }

  #acceptFrames(slot: PortSlot, batch: FrameBatch): void {
    const disposal = this.#disposal;
    const { bytes } = disposal.pool.arena;
    const { memberByVlan, isStacked } = slot;
    for (let index = 0; index < batch.length; index++) {
      const frame = batch.frames[index]!;
      if (frame.truncatedFrom !== 0) {
        disposal.drop(frame, Drop.frameTooLong, slot.row);
        continue;
      }
      if (frame.end - frame.start < ETHERNET_HEADER_OCTETS) {
        disposal.drop(frame, Drop.frameTooShort, slot.row);
        continue;
      }
      let vlan = 0;
      if (frame.vlanTpid === EtherType.vlan || (isStacked && slot.isTag(frame.vlanTpid))) {
        vlan = frame.vlanTci & VLAN_ID_MASK;
      } else {
        if (frame.vlanTpid !== 0) {
          if (frame.start - VLAN_TAG_OCTETS < frame.headroomStart) {
            disposal.drop(frame, Drop.noHeadroom, slot.row);
            continue;
          }
          frame.start = insertVlanTag(bytes, frame.start, frame.vlanTpid, frame.vlanTci);
          frame.vlanTpid = 0;
        } else {
          const type = etherType(bytes, frame.start);
          if (type === EtherType.vlan || (isStacked && slot.isTag(type))) {
            if (frame.end - frame.start < ETHERNET_HEADER_OCTETS + VLAN_TAG_OCTETS) {
              disposal.drop(frame, Drop.frameTooShort, slot.row);
              continue;
            }
            frame.vlanTci = vlanTci(bytes, frame.start);
            vlan = frame.vlanTci & VLAN_ID_MASK;
            frame.start = stripVlanTag(bytes, frame.start);
          }
        }
      }
      const member = isStacked ? this.#behindTags(slot, frame, vlan) : memberByVlan[vlan]!;
      if (member === -1) {
        disposal.drop(frame, Drop.unknownVlan, slot.row);
        continue;
      }
      // From here on the tag is only the priority that a tagged outlet may want to keep.
      frame.vlanTpid = 0;
      frame.member = member;
      frame.endpoint = -1;
      this.#toBridge.push(frame);
    }
  }

  /** The member of a frame whose first tag, `outer`, is gone: by both tags where a VLAN has both, else by the first. */
  #behindTags(slot: PortSlot, frame: Frame, outer: number): number {
    const { bytes } = this.#disposal.pool.arena;
    const members = slot.membersWithin(outer);
    if (members !== undefined && frame.end - frame.start >= ETHERNET_HEADER_OCTETS + VLAN_TAG_OCTETS) {
      const member = members[vlanTci(bytes, frame.start) & VLAN_ID_MASK]!;
      if (member !== -1 && slot.isTag(etherType(bytes, frame.start))) {
        frame.start = stripVlanTag(bytes, frame.start);
        return member;
      }
    }
    return slot.memberByVlan[outer]!;
  }
}
