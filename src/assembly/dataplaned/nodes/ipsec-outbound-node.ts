// Outbound processing of IPsec (RFC 4301, section 5.1): packets that a selector protects are sealed and sent on as new ones.
//
//   1. the policy of the selector has a security association to leave by
//   2. a super-frame is cut, checksums are finished
//   3. the packet fits the way to the other end once it is sealed, or is reported to its sender, or cut
//   4. all packets of a batch are sealed at once, and leave by the routes to the other end of their association

import { Column, ROW_STRIDE } from '../../../core/counters.ts';
import { Drop, FORWARD, type Verdict } from '../../../core/drop-reason.ts';
import type { Association } from '../../../ipsec/association-database.ts';
import { readSelectors } from '../../../ipsec/packet-selectors.ts';
import { MAX_JOBS } from '../../../ipsec/crypto.ts';
import { MAX_JOINED, type Sealer } from '../../../ipsec/sealer.ts';
import { completeChecksum } from '../../../packet/complete-checksum.ts';
import { type Frame, FrameBatch, Gso } from '../../../packet/frame.ts';
import { segment, segmentOctets } from '../../../packet/segment.ts';
import { Book } from '../../../pipeline/books.ts';
import type { Disposal } from '../../../pipeline/disposal.ts';
import type { PipelineNode } from '../../../pipeline/node.ts';
import { Direction } from '../../../pipeline/tap.ts';
import { IcmpError } from '../../../wire/icmp-error.ts';
import { ipv4DontFragment } from '../../../wire/ipv4.ts';
import type { Fragmenter } from '../fragmenter.ts';
import type { IcmpErrors } from '../icmp-errors.ts';
import type { IpsecGate } from '../ipsec-gate.ts';
import type { AssociationStates } from '../association-states.ts';
import type { IpsecPaths } from '../ipsec-paths.ts';

/** Sends a sealed packet by the routes: it is looked at by no selector again. */
export type SendSealed = (frame: Frame, association: Association) => void;

/** Sequence numbers that an association has left when it is time to look for more. */
const LOW_NUMBERS = 1 << 18;

export class IpsecOutboundNode implements PipelineNode {
  readonly name = 'ipsec-outbound';
  readonly input: FrameBatch;
  readonly #gate: IpsecGate;
  readonly #sealer: Sealer;
  readonly #paths: IpsecPaths;
  readonly #states: AssociationStates;
  readonly #errors: IcmpErrors;
  readonly #fragmenter: Fragmenter;
  readonly #disposal: Disposal;
  readonly #bytes: Uint8Array;
  readonly #send: SendSealed;
  readonly #segments = new FrameBatch();
  /** The association of each packet in the sealer. */
  readonly #associations: Association[] = [];

  constructor(
    gate: IpsecGate,
    sealer: Sealer,
    paths: IpsecPaths,
    states: AssociationStates,
    errors: IcmpErrors,
    fragmenter: Fragmenter,
    disposal: Disposal,
    send: SendSealed,
  ) {
    this.input = gate.toSeal;
    this.#gate = gate;
    this.#sealer = sealer;
    this.#paths = paths;
    this.#states = states;
    this.#errors = errors;
    this.#fragmenter = fragmenter;
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
    this.#send = send;
  }

  process(): void {
    const { frames, length } = this.input;
    for (let index = 0; index < length; index++) this.#protect(frames[index]!);
    this.#flush();
    this.input.removeFirst(length);
  }

  #protect(frame: Frame): void {
    const disposal = this.#disposal;
    const { policies, associations } = this.#gate;
    const selector = policies.get(frame.protection - 1);
    if (selector === undefined) {
      // It has gone while the packet was on its way here.
      disposal.drop(frame, Drop.ipsecNoSa, 0);
      return;
    }
    readSelectors(this.#bytes, frame.start, frame.end);
    const association = associations.findOutbound(selector.policy);
    if (association === undefined) {
      disposal.drop(frame, Drop.ipsecNoSa, selector.row);
      return;
    }
    if (disposal.tap.passing) disposal.tap.recordPass(frame, association.spec.row, Direction.outbound);
    this.#paths.settle(association);
    if (frame.gsoType === Gso.none) this.#fit(frame, association);
    else this.#cutSuperFrame(frame, association);
  }

  #cutSuperFrame(frame: Frame, association: Association): void {
    const disposal = this.#disposal;
    const isIpv6 = this.#bytes[frame.start]! >>> 4 === 6;
    const mtu = isIpv6 ? association.innerMtu6 : association.innerMtu4;
    if (segmentOctets(this.#bytes, frame) > mtu && this.#mustReport(frame, association)) {
      this.#report(frame, association, mtu);
      return;
    }
    // Whoever captures shall see packets.
    if (segmentOctets(this.#bytes, frame) <= mtu && !disposal.tap.passing && this.#addJoined(frame, association))
      return;
    const segments = this.#segments;
    const verdict = segment(disposal.pool, frame, segments, true);
    if (verdict !== FORWARD) {
      disposal.drop(frame, verdict, association.spec.row);
      return;
    }
    disposal.books[Book.originated]! += segments.length;
    disposal.consume(frame);
    for (let index = 0; index < segments.length; index++) this.#fit(segments.frames[index]!, association);
    segments.clear();
  }

  /** Has the segments of a super-frame sealed into one, where that can be. */
  #addJoined(frame: Frame, association: Association): boolean {
    if (MAX_JOBS - this.#sealer.count < MAX_JOINED) this.#flush();
    if (association.outbound.reservedLeft < LOW_NUMBERS) this.#states.refill(association);
    const first = this.#sealer.count;
    const added = this.#sealer.addSuperFrame(frame, association.outbound);
    if (added === 0) return false;
    this.#associations[first] = association;
    if (this.#sealer.isFull) this.#flush();
    return true;
  }

  /** Whether a packet that does not fit can be cut neither before nor after it is sealed. */
  #mustReport(frame: Frame, { spec: { sa } }: Association): boolean {
    const isClear = sa.isTunnel && sa.family === 4 && sa.dontFragment === 'clear';
    if (isClear) return false;
    return this.#bytes[frame.start]! >>> 4 === 6 || ipv4DontFragment(this.#bytes, frame.start);
  }

  #report(frame: Frame, association: Association, mtu: number): void {
    this.#errors.report(frame, IcmpError.tooBig, mtu);
    this.#disposal.drop(frame, Drop.tunnelMtuExceeded, association.spec.row);
  }

  #fit(frame: Frame, association: Association): void {
    const isIpv6 = this.#bytes[frame.start]! >>> 4 === 6;
    const mtu = isIpv6 ? association.innerMtu6 : association.innerMtu4;
    if (frame.end - frame.start <= mtu) {
      this.#add(frame, association);
    } else if (isIpv6 && !association.spec.sa.isTunnel) {
      // In mode transport it is our own, and is cut once it is sealed (RFC 4303, section 3.3.4).
      this.#add(frame, association);
    } else if (this.#mustReport(frame, association)) {
      this.#report(frame, association, mtu);
    } else if (mustCutBefore(association)) {
      const pieces = this.#fragmenter.cut(frame, frame.start, mtu, false, association.spec.row);
      for (let index = 0; index < pieces.length; index++) this.#add(pieces.frames[index]!, association);
    } else {
      this.#add(frame, association);
    }
  }

  #add(frame: Frame, association: Association): void {
    if (frame.checksumStart !== 0) {
      const verdict = completeChecksum(this.#disposal.pool.arena, frame);
      if (verdict !== FORWARD) {
        this.#drop(frame, verdict, association);
        return;
      }
    }
    if (association.outbound.reservedLeft < LOW_NUMBERS) this.#states.refill(association);
    const verdict = this.#sealer.add(frame, association.outbound);
    if (verdict !== FORWARD) {
      this.#drop(frame, verdict, association);
      return;
    }
    this.#associations[this.#sealer.count - 1] = association;
    if (this.#sealer.isFull) this.#flush();
  }

  #drop(frame: Frame, why: Verdict, association: Association): void {
    this.#disposal.drop(frame, why, association.spec.row);
  }

  #flush(): void {
    const sealer = this.#sealer;
    if (sealer.count === 0) return;
    const disposal = this.#disposal;
    const { cells } = disposal.counters;
    const count = sealer.flush();
    let more: number;
    for (let index = 0; index < count; index += 1 + more) {
      more = sealer.more[index]!;
      const source = sealer.sources[index]!;
      const association = this.#associations[index]!;
      const { spec } = association;
      const verdict = sealer.verdicts[index]!;
      if (verdict !== FORWARD) {
        disposal.drop(source, verdict, spec.row);
        continue;
      }
      const base = spec.row * ROW_STRIDE;
      cells[base + Column.outFrames]! += 1 + more;
      cells[base + Column.outOctets]! +=
        more === 0 ? source.end - source.start : wholeOctets(this.#bytes, source, more);
      disposal.books[Book.originated]! += 1;
      disposal.consume(source);
      this.#send(sealer.sealed[index]!, association);
    }
    sealer.clear();
  }
}

/** Octets of all segments of a super-frame, the headers of `more` besides the first counted again. */
const wholeOctets = (bytes: Uint8Array, frame: Frame, more: number): number =>
  frame.end - frame.start + more * (segmentOctets(bytes, frame) - frame.gsoSize);

/** Whether the outer packet may not be cut, so that the inner one is. */
const mustCutBefore = ({ spec: { sa } }: Association): boolean =>
  sa.isTunnel && (sa.family === 6 || sa.dontFragment === 'set');
