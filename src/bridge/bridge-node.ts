// The bridge: learns where frames come from, looks up where they go (IEEE 802.1Q, section 8.8).
//
//   1. the frame fits the MTU of its VLAN, and comes from where its source says (source-checking)
//   2. the source MAC must be a station's, and not our own
//   3. it is learned behind the member that the frame came in by, and as it was there, whatever a VLAN group makes of it
//   4. our own MAC goes to the local node; a group or unknown destination is flooded
//   5. a known one leaves by its member, unless that is where the frame came from; what crosses a VLAN group is made what
//      the other side shall see (crossing.ts)
//
// Not supported: spanning tree. Link-local control frames (01:80:c2:00:00:0X) are dropped, as a bridge must.

import { Column, ROW_STRIDE } from '../core/counters.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { type Frame, FrameBatch, Gso } from '../packet/frame.ts';
import { Direction } from '../pipeline/tap.ts';
import { segmentOctets } from '../packet/segment.ts';
import type { Disposal } from '../pipeline/disposal.ts';
import type { PipelineNode } from '../pipeline/node.ts';
import { ETHERNET_HEADER_OCTETS, isVlanTagged, VLAN_TAG_OCTETS } from '../wire/ethernet.ts';
import { LOCAL_BIT_HIGH } from './crossing.ts';
import { type Domain, type Member, MemberKind } from './domain.ts';
import { FdbField, type ForwardingDatabase, Learned } from './fdb.ts';
import type { LoopGuard } from './loop-guard.ts';

export class BridgeNode implements PipelineNode {
  readonly name = 'bridge';
  readonly input = new FrameBatch();
  /** Second of the data plane's clock; set by the owner before a breath. */
  second = 0;
  readonly #bytes: Uint8Array;
  readonly #fdb: ForwardingDatabase;
  readonly #guard: LoopGuard;
  readonly #members: readonly (Member | undefined)[];
  readonly #disposal: Disposal;
  readonly #cells: Float64Array;
  readonly #toFlood: FrameBatch;
  readonly #toLocal: FrameBatch;

  constructor(
    fdb: ForwardingDatabase,
    guard: LoopGuard,
    members: readonly (Member | undefined)[],
    disposal: Disposal,
    toFlood: FrameBatch,
    toLocal: FrameBatch,
  ) {
    this.#bytes = disposal.pool.arena.bytes;
    this.#fdb = fdb;
    this.#guard = guard;
    this.#members = members;
    this.#disposal = disposal;
    this.#cells = disposal.counters.cells;
    this.#toFlood = toFlood;
    this.#toLocal = toLocal;
  }

  process(): void {
    const { frames, length } = this.input;
    const bytes = this.#bytes;
    const fdb = this.#fdb;
    const { table } = fdb;
    const members = this.#members;
    const disposal = this.#disposal;
    const { tap } = disposal;
    const tapping = tap.passing;
    // Frames come in runs of one member and often of one destination. What was found for the frame before is kept, and
    // the counters of a run are written once: together that halves the cost of a frame.
    let memberId = frames[0]!.member;
    let member = members[memberId]!;
    let { domain, admittedOctets } = member;
    let runStart = 0;
    let runOctets = 0;
    let runGroupFrames = 0;
    let knownHigh = -1;
    let knownLow = 0;
    let knownTarget: Member | undefined;
    let knownEndpoint = -1;
    let knownCrosses = false;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      if (frame.member !== memberId) {
        this.#count(member, index - runStart, runOctets, runGroupFrames);
        memberId = frame.member;
        member = members[memberId]!;
        ({ domain, admittedOctets } = member);
        runStart = index;
        runOctets = 0;
        runGroupFrames = 0;
        knownHigh = -1;
      }
      const at = frame.start;
      const octets = frame.end - at;
      runOctets += octets;
      if (tapping) tap.recordPass(frame, member.row, Direction.inbound);
      if (octets > admittedOctets) {
        const verdict = this.#admit(frame, member);
        if (verdict !== FORWARD) {
          disposal.drop(frame, verdict, member.row);
          continue;
        }
      }

      const sourceHigh = (bytes[at + 6]! << 8) | bytes[at + 7]!;
      const sourceLow = (bytes[at + 8]! << 24) | (bytes[at + 9]! << 16) | (bytes[at + 10]! << 8) | bytes[at + 11]!;
      if (
        sourceLow !== member.lastMacLow ||
        sourceHigh !== member.lastMacHigh ||
        frame.endpoint !== member.lastEndpoint ||
        this.second !== member.lastSecond
      ) {
        const verdict = checkSource(member, sourceHigh, sourceLow);
        if (verdict !== FORWARD) {
          disposal.drop(frame, verdict, member.row);
          continue;
        }
        this.#learn(member, sourceHigh, sourceLow, frame.endpoint);
      }

      const high = (bytes[at]! << 8) | bytes[at + 1]!;
      const low = (bytes[at + 2]! << 24) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!;
      if (low !== knownLow || high !== knownHigh) {
        if ((high & GROUP_BIT) !== 0) {
          runGroupFrames += 1;
          if (isLinkLocalControl(high, low)) disposal.drop(frame, Drop.linkLocalControl, member.row);
          else this.#toFlood.push(frame);
          continue;
        }
        if (low === domain.macLow && high === domain.macHigh && domain.hasLocal) {
          this.#toLocal.push(frame);
          continue;
        }
        const entry =
          domain.crossing === undefined ? fdb.find(domain.id, high, low) : this.#findAcross(domain, member, high, low);
        if (entry === -1) {
          this.#toFlood.push(frame);
          continue;
        }
        knownHigh = high;
        knownLow = low;
        knownTarget = members[fdb.memberAt(entry)];
        knownEndpoint = table[entry + FdbField.endpoint]!;
        knownCrosses = domain.crossing !== undefined && knownTarget!.segment !== member.segment;
      }
      const target = knownTarget!;
      if (target === member) {
        disposal.drop(frame, Drop.sameMember, member.row);
      } else if (target.splitHorizonGroup !== 0 && target.splitHorizonGroup === member.splitHorizonGroup) {
        disposal.drop(frame, Drop.splitHorizon, member.row);
      } else if (!target.enabled) {
        disposal.drop(frame, Drop.memberDown, target.row);
      } else {
        if (knownCrosses) {
          const verdict = domain.crossing!.verdict(bytes, frame);
          if (verdict !== FORWARD) {
            disposal.drop(frame, verdict, member.row);
            continue;
          }
          domain.crossing!.rewrite(bytes, frame, domain.macHigh, domain.macLow);
        }
        frame.egress = target.id;
        frame.endpoint = knownEndpoint;
        target.outlet.push(frame);
      }
    }
    this.#count(member, length - runStart, runOctets, runGroupFrames);
    this.input.clear();
  }

  /** For a frame that is larger than what comes in unseen, and for each frame of a member that has every one looked at. */
  #admit(frame: Frame, member: Member): Verdict {
    const bytes = this.#bytes;
    const octets = frame.end - frame.start;
    let limit = member.mtu + ETHERNET_HEADER_OCTETS;
    // What an adapter that knows nothing of offloads reads may be a super-frame of a sender on this host.
    if (octets > limit && frame.offloadsUnknown === 0) {
      // A tag of the customer's own does not count towards the MTU, and a super-frame is as large as its segments.
      if (isVlanTagged(bytes, frame.start)) limit += VLAN_TAG_OCTETS;
      const largest = frame.gsoType === Gso.none ? octets : segmentOctets(bytes, frame);
      if (largest > limit) return Drop.vlanMtuExceeded;
    }
    const { sourceCheck } = member;
    if (sourceCheck === undefined || sourceCheck.accepts(bytes, frame, member.domain)) return FORWARD;
    return Drop.sourceCheckFailed;
  }

  /** Word index of the entry of a station of a VLAN group as it is seen from a member, or -1. */
  #findAcross(domain: Domain, member: Member, high: number, low: number): number {
    const fdb = this.#fdb;
    const crossing = domain.crossing!;
    const entry = fdb.find(domain.id, high, low);
    const isHere = entry !== -1 && this.#members[fdb.memberAt(entry)]!.segment === member.segment;
    if (isHere || !(crossing.isTranslucent || crossing.isOpaque)) return entry;
    if (crossing.isOpaque) return -1;
    const other = fdb.find(domain.id, high ^ LOCAL_BIT_HIGH, low);
    return other !== -1 && this.#members[fdb.memberAt(other)]!.segment !== member.segment ? other : -1;
  }

  #count(member: Member, frames: number, octets: number, groupFrames: number): void {
    const cells = this.#cells;
    const base = member.row * ROW_STRIDE;
    cells[base + Column.inFrames]! += frames;
    cells[base + Column.inOctets]! += octets;
    cells[base + Column.inGroupFrames]! += groupFrames;
  }

  #learn(member: Member, high: number, low: number, endpoint: number): void {
    member.lastMacHigh = high;
    member.lastMacLow = low;
    member.lastEndpoint = endpoint;
    member.lastSecond = this.second;
    if (!member.learns) return;
    const learned = this.#fdb.learn(member.domain.id, high, low, member.id, endpoint, this.second);
    if (learned === Learned.refused) this.#cells[member.row * ROW_STRIDE + Column.notLearned]! += 1;
    if (learned === Learned.moved) {
      this.#cells[member.row * ROW_STRIDE + Column.macMoves]! += 1;
      this.#guard.moved(member.domain.id, high, low, this.#fdb.movedFrom, member.id, this.second);
      // The member that it moved away from must learn it anew should it come back within the same second.
      for (const other of member.domain.members) if (other !== member) other.forgetLast();
    }
  }
}

const GROUP_BIT = 0x100;

/** Whether a frame of this member may come from this station. */
function checkSource(member: Member, high: number, low: number): Verdict {
  if ((high & GROUP_BIT) !== 0 || (high | low) === 0) {
    return member.kind === MemberKind.tunnel ? Drop.innerSourceMacInvalid : Drop.invalidSourceMac;
  }
  const { domain } = member;
  return domain.hasLocal && low === domain.macLow && high === domain.macHigh ? Drop.ownFrameReturned : FORWARD;
}

/** 01:80:c2:00:00:00 to 0f. */
const isLinkLocalControl = (high: number, low: number): boolean =>
  high === 0x0180 && (low & 0xfffffff0) === (0xc2000000 | 0);
