// What both directions of a security association have in common: the handle of its key, the sizes that follow from its spec, what it
// has carried, and when it has carried enough.

import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';
import { BLOCK_OCTETS, icvOctets, IV_OCTETS } from './crypto.ts';
import { IpsecProtocol, type SecurityAssociationSpec } from './security-association.ts';

/** A limit of 0 is none. */
const limit = (value: number): number => (value === 0 ? Number.POSITIVE_INFINITY : value);

export class SaState {
  readonly spec: SecurityAssociationSpec;
  /** Of the batch that seals or opens for it. */
  readonly key: number;
  readonly isAh: boolean;
  readonly isTunnel: boolean;
  readonly isUdp: boolean;
  readonly ivOctets: number;
  readonly icvOctets: number;
  readonly blockOctets: number;
  /** Packets carried, and octets of the packets inside. */
  packets = 0;
  octets = 0;
  /** Becomes true once, when the soft lifetime is reached; whoever has seen it sets it back. */
  softDue = false;
  /** Becomes true when the hard lifetime is reached, and stays: nothing is carried any more. */
  hardDue = false;
  #softPackets: number;
  #softOctets: number;
  #softAtMs: number;
  readonly #hardPackets: number;
  readonly #hardOctets: number;
  readonly #hardAtMs: number;

  /** `madeAtMs`: when it was made, on the clock that `age` gets. */
  constructor(spec: SecurityAssociationSpec, key: number, madeAtMs: number) {
    const { transform, softLifetime: soft, hardLifetime: hard } = spec;
    this.spec = spec;
    this.key = key;
    this.isAh = spec.protocol === IpsecProtocol.ah;
    this.isTunnel = spec.isTunnel;
    this.isUdp = spec.udpDestinationPort !== 0;
    this.ivOctets = this.isAh && transform.cipher !== 'aes-gmac' ? 0 : IV_OCTETS[transform.cipher];
    this.icvOctets = icvOctets(transform);
    this.blockOctets = BLOCK_OCTETS[transform.cipher];
    if (this.isAh && this.isUdp) throw new RangeError('AH cannot be encapsulated in UDP (RFC 3948)');
    if (this.isAh && this.icvOctets === 0) throw new RangeError('AH without a MAC');
    this.#softPackets = limit(soft.packets);
    this.#softOctets = limit(soft.octets);
    this.#softAtMs = madeAtMs + limit(soft.seconds) * 1000;
    this.#hardPackets = limit(hard.packets);
    this.#hardOctets = limit(hard.octets);
    this.#hardAtMs = madeAtMs + limit(hard.seconds) * 1000;
  }

  /** Whether it may carry another packet. */
  get usable(): Verdict {
    return this.hardDue ? Drop.ipsecExpired : FORWARD;
  }

  /** The owner tells the time, now and then. */
  age(nowMs: number): void {
    if (nowMs >= this.#softAtMs) this.#raiseSoft();
    if (nowMs >= this.#hardAtMs) this.hardDue = true;
  }

  /** Books a packet of so many octets that it has carried. */
  count(octets: number): void {
    this.packets += 1;
    this.octets += octets;
    if (this.packets >= this.#softPackets || this.octets >= this.#softOctets) this.#raiseSoft();
    if (this.packets >= this.#hardPackets || this.octets >= this.#hardOctets) this.hardDue = true;
  }

  #raiseSoft(): void {
    this.softDue = true;
    this.#softPackets = Number.POSITIVE_INFINITY;
    this.#softOctets = Number.POSITIVE_INFINITY;
    this.#softAtMs = Number.POSITIVE_INFINITY;
  }
}
