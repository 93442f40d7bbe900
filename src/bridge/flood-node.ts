// Flooding: a frame of group or unknown destination to every other member of its domain, each exactly once.
//
// The last recipient gets the frame itself, the others copies from the pool. A tunnel that replicates counts once per
// endpoint. A frame that came in by a tunnel never goes back to that tunnel, nor to one of the same split-horizon group.
// What crosses a VLAN group is made what the other side shall see, copy by copy.

import { Column, ROW_STRIDE } from '../core/counters.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { macHigh16, macLow32 } from '../core/mac.ts';
import { type Frame, FrameBatch, Gso } from '../packet/frame.ts';
import { segment } from '../packet/segment.ts';
import { Book } from '../pipeline/books.ts';
import type { Disposal } from '../pipeline/disposal.ts';
import type { PipelineNode } from '../pipeline/node.ts';
import { EtherType, etherType } from '../wire/ethernet.ts';
import { type Domain, type Member, MemberKind } from './domain.ts';
import type { LoopGuard } from './loop-guard.ts';

export class FloodNode implements PipelineNode {
  readonly name = 'flood';
  readonly input: FrameBatch;
  /** Second of the data plane's clock; set by the owner before a breath. */
  second = 0;
  readonly #guard: LoopGuard;
  readonly #members: readonly (Member | undefined)[];
  readonly #disposal: Disposal;
  readonly #toLocal: FrameBatch;
  readonly #segments = new FrameBatch();

  // The recipients of the frame at hand: a member, or undefined for ourselves, each with its tunnel endpoint.
  readonly #recipients: (Member | undefined)[] = [];
  readonly #endpoints: number[] = [];
  #recipientCount = 0;
  /** Members that should have got the frame but do not, each with the reason. */
  readonly #refusing: Member[] = [];
  readonly #reasons: Verdict[] = [];
  #refusingCount = 0;
  /** Why the frame does not cross its VLAN group, once a member was found that it would have crossed to. */
  #held: Verdict = FORWARD;
  /** A member whose port is not open: it is charged only when nobody else takes the frame. */
  #portless: Member | undefined;

  constructor(
    input: FrameBatch,
    members: readonly (Member | undefined)[],
    guard: LoopGuard,
    disposal: Disposal,
    toLocal: FrameBatch,
  ) {
    this.input = input;
    this.#guard = guard;
    this.#members = members;
    this.#disposal = disposal;
    this.#toLocal = toLocal;
  }

  process(): void {
    const { frames, length } = this.input;
    for (let index = 0; index < length; index++) {
      const frame = frames[index]!;
      if (frame.gsoType === Gso.none) this.#flood(frame);
      else this.#floodSegments(frame);
    }
    this.input.clear();
  }

  /** Super-frames do not fit in a pool slot: their segments are flooded one by one. */
  #floodSegments(frame: Frame): void {
    const disposal = this.#disposal;
    const verdict = segment(disposal.pool, frame, this.#segments);
    if (verdict !== 0) {
      disposal.drop(frame, verdict, this.#members[frame.member]!.row);
      return;
    }
    disposal.books[Book.originated]! += this.#segments.length;
    disposal.consume(frame);
    for (let index = 0; index < this.#segments.length; index++) this.#flood(this.#segments.frames[index]!);
    this.#segments.clear();
  }

  #flood(frame: Frame): void {
    const disposal = this.#disposal;
    const ingress = this.#members[frame.member]!;
    this.#collect(frame, ingress);
    const last = this.#recipientCount - 1;
    if (last < 0) {
      this.#refuse(frame, ingress);
      return;
    }
    for (let index = 0; index < this.#refusingCount; index++) {
      disposal.dropInstead(frame, this.#reasons[index]!, this.#refusing[index]!.row);
    }
    // Where unicast is routed nothing is lost that does not cross at layer 2.
    if (this.#held !== FORWARD && this.#held !== Drop.unknownDestination) {
      disposal.dropInstead(frame, this.#held, ingress.row);
    }
    for (let index = 0; index < last; index++) {
      const copy = disposal.pool.copy(frame);
      if (copy === undefined) {
        disposal.dropInstead(frame, Drop.noBuffer, this.#recipients[index]?.row ?? ingress.row);
        continue;
      }
      disposal.books[Book.copies]! += 1;
      this.#deliver(copy, index, ingress);
    }
    this.#deliver(frame, last, ingress);
  }

  #collect(frame: Frame, ingress: Member): void {
    const { domain } = ingress;
    this.#recipientCount = 0;
    this.#refusingCount = 0;
    this.#held = FORWARD;
    this.#portless = undefined;
    const isOurs = ingress.kind === MemberKind.local;
    const crossing = isOurs ? undefined : domain.crossing;
    const isGuarded = this.#guard.active > 0;
    if (domain.hasLocal && !isOurs && concernsUs(this.#disposal.pool.arena.bytes, frame, domain))
      this.#addRecipient(undefined, -1);
    for (let index = 0; index < domain.members.length; index++) {
      const member = domain.members[index]!;
      if (member === ingress || !member.enabled) continue;
      if (member.splitHorizonGroup !== 0 && member.splitHorizonGroup === ingress.splitHorizonGroup) continue;
      if (crossing !== undefined && member.segment !== ingress.segment) {
        const verdict = crossing.verdict(this.#disposal.pool.arena.bytes, frame);
        if (verdict !== FORWARD) {
          this.#held = verdict;
          continue;
        }
      }
      if (!member.hasPort) {
        this.#portless = member;
      } else if (!member.floods) {
        this.#addRefusing(member, Drop.floodingNone);
      } else if (member.replicates && member.floodEndpoints.length === 0) {
        this.#addRefusing(member, Drop.noEndpoints);
      } else if (isGuarded && !this.#guard.admits(ingress.id, member.id, this.second)) {
        this.#addRefusing(member, Drop.loopGuard);
      } else if (member.replicates) {
        for (const endpoint of member.floodEndpoints) this.#addRecipient(member, endpoint);
      } else {
        this.#addRecipient(member, -1);
      }
    }
  }

  #addRecipient(member: Member | undefined, endpoint: number): void {
    this.#recipients[this.#recipientCount] = member;
    this.#endpoints[this.#recipientCount++] = endpoint;
  }

  #addRefusing(member: Member, why: Verdict): void {
    this.#refusing[this.#refusingCount] = member;
    this.#reasons[this.#refusingCount++] = why;
  }

  #deliver(frame: Frame, index: number, ingress: Member): void {
    const member = this.#recipients[index];
    if (member === undefined) {
      this.#toLocal.push(frame);
      return;
    }
    const { domain } = ingress;
    if (domain.crossing !== undefined && member.segment !== ingress.segment && ingress.kind !== MemberKind.local) {
      domain.crossing.rewrite(this.#disposal.pool.arena.bytes, frame, domain.macHigh, domain.macLow);
    }
    this.#disposal.counters.cells[member.row * ROW_STRIDE + Column.flooded]! += 1;
    frame.egress = member.id;
    frame.endpoint = this.#endpoints[index]!;
    member.outlet.push(frame);
  }

  /** Nobody takes the frame: the first member that should have is charged with it, or the one that it came from. */
  #refuse(frame: Frame, ingress: Member): void {
    const disposal = this.#disposal;
    for (let index = 1; index < this.#refusingCount; index++) {
      disposal.dropInstead(frame, this.#reasons[index]!, this.#refusing[index]!.row);
    }
    const portless = this.#portless;
    if (this.#refusingCount > 0) disposal.drop(frame, this.#reasons[0]!, this.#refusing[0]!.row);
    else if (this.#held !== FORWARD) disposal.drop(frame, this.#held, ingress.row);
    else if (portless !== undefined) disposal.drop(frame, Drop.portDown, portless.row);
    else disposal.drop(frame, nobody(ingress), ingress.row);
  }
}

/** Why a frame has no recipient at all. */
function nobody(ingress: Member): Verdict {
  let down = false;
  for (const member of ingress.domain.members) {
    if (member === ingress) continue;
    if (member.enabled) return Drop.splitHorizon;
    down = true;
  }
  return down ? Drop.memberDown : Drop.unknownDestination;
}

/** ARP, multicast of IPv6, to which neighbour discovery belongs, and of IPv4 to the groups that we are members of. */
function concernsUs(bytes: Uint8Array, frame: Frame, domain: Domain): boolean {
  const type = etherType(bytes, frame.start);
  if (type === EtherType.arp) return true;
  if (type === EtherType.ipv6) return macHigh16(bytes, frame.start) === 0x3333;
  const groups = domain.ipv4GroupMacs;
  if (type !== EtherType.ipv4 || groups.length === 0 || macHigh16(bytes, frame.start) !== 0x0100) return false;
  return groups.includes(macLow32(bytes, frame.start));
}
