// Sealer and opener in one arena, for tests: packets go in and come out as octets, in batches, and no frame may be left over.

import assert from 'node:assert/strict';
import { type AddressWords, parseAddress } from '../../src/core/address.ts';
import { FORWARD, type Verdict } from '../../src/core/drop-reason.ts';
import type { Compressor } from '../../src/ipsec/compressor.ts';
import { type CryptoBatch, KEY_OCTETS, MAC_KEY_OCTETS, type Transform } from '../../src/ipsec/crypto.ts';
import { InboundSa } from '../../src/ipsec/inbound-sa.ts';
import { Opener } from '../../src/ipsec/opener.ts';
import { OutboundSa } from '../../src/ipsec/outbound-sa.ts';
import { Sealer } from '../../src/ipsec/sealer.ts';
import { IpsecProtocol, NO_LIFETIME, type SecurityAssociationSpec } from '../../src/ipsec/security-association.ts';
import { DeflateCompressor } from '../../src/net/deflate.ts';
import type { Arena } from '../../src/packet/arena.ts';
import { Frame } from '../../src/packet/frame.ts';
import type { FramePool } from '../../src/packet/pool.ts';
import { NodeCryptoBatch } from './crypto-batch.ts';
import { arenaWithPool, FILLER } from './octets.ts';

export const words = (text: string): AddressWords => parseAddress(text)!.words;

export const GCM: Transform = { cipher: 'aes-gcm', mac: 'none' };

/** Every transform that ESP has, with the octets of its key. */
export const ESP_TRANSFORMS: readonly (Transform & { keyOctets: number })[] = [
  ...KEY_OCTETS['aes-gcm'].map((keyOctets) => ({ cipher: 'aes-gcm', mac: 'none', keyOctets }) as const),
  ...KEY_OCTETS['aes-gmac'].map((keyOctets) => ({ cipher: 'aes-gmac', mac: 'none', keyOctets }) as const),
  ...(['hmac-sha1-96', 'hmac-sha256-128', 'hmac-sha384-192', 'hmac-sha512-256'] as const).flatMap((mac) => [
    ...KEY_OCTETS['aes-cbc'].map((keyOctets) => ({ cipher: 'aes-cbc', mac, keyOctets }) as const),
    { cipher: '3des-cbc', mac, keyOctets: 24 } as const,
    { cipher: 'null', mac, keyOctets: 0 } as const,
  ]),
  { cipher: 'aes-cbc', mac: 'none', keyOctets: 16 },
];

/** Every transform that AH has. */
export const AH_TRANSFORMS: readonly (Transform & { keyOctets: number })[] = [
  { cipher: 'null', mac: 'hmac-sha1-96', keyOctets: 0 },
  { cipher: 'null', mac: 'hmac-sha256-128', keyOctets: 0 },
  { cipher: 'null', mac: 'hmac-sha384-192', keyOctets: 0 },
  { cipher: 'null', mac: 'hmac-sha512-256', keyOctets: 0 },
  { cipher: 'aes-gmac', mac: 'none', keyOctets: 20 },
  { cipher: 'aes-gmac', mac: 'none', keyOctets: 36 },
];

/** An SA between 192.0.2.1 and 192.0.2.2, or 2001:db8::1 and ::2: ESP with AES-GCM in tunnel mode unless told otherwise. */
export function specOf(changes: Partial<SecurityAssociationSpec> = {}): SecurityAssociationSpec {
  const family = changes.family ?? 4;
  return {
    spi: 0x1002,
    protocol: IpsecProtocol.esp,
    isTunnel: true,
    family,
    source: words(family === 4 ? '192.0.2.1' : '2001:db8::1'),
    destination: words(family === 4 ? '192.0.2.2' : '2001:db8::2'),
    transform: GCM,
    extended: false,
    replayWindow: 64,
    compression: 0,
    compressionIndex: 2,
    udpSourcePort: 0,
    udpDestinationPort: 0,
    ahAlign8: false,
    dontFragment: 'copy',
    softLifetime: NO_LIFETIME,
    hardLifetime: NO_LIFETIME,
    ...changes,
  };
}

/** 1, 2, 3 … for the cipher, 33, 34, 35 … for the MAC. */
export const keyOf = (octets: number): Uint8Array => Uint8Array.from({ length: octets }, (_, index) => index + 1);
export const macKeyOf = (octets: number): Uint8Array => Uint8Array.from({ length: octets }, (_, index) => index + 0x21);

export type Opened = { verdict: Verdict; octets: Buffer };

const SIZES = { smallSlots: 512, largeSlots: 8, packetSlots: 8 };
/** Frames of a port's memory, each with headroom in front and filler behind. */
const STRIDE = 66_048;
const PLACES = 300;

export class IpsecRig {
  readonly arena: Arena;
  readonly pool: FramePool;
  readonly crypto: CryptoBatch;
  readonly sealer: Sealer;
  readonly opener: Opener;
  readonly #base: number;
  readonly #free: number;

  constructor(
    compressor: Compressor = new DeflateCompressor(),
    cryptoOf: (bytes: Uint8Array) => CryptoBatch = (bytes) => new NodeCryptoBatch(bytes),
  ) {
    const { arena, pool, offset } = arenaWithPool(PLACES * STRIDE, SIZES);
    this.arena = arena;
    this.pool = pool;
    this.#base = offset;
    this.#free = pool.free;
    this.crypto = cryptoOf(arena.bytes);
    this.sealer = new Sealer(pool, this.crypto, compressor);
    this.opener = new Opener(pool, this.crypto, compressor);
  }

  key(spec: SecurityAssociationSpec, keyOctets = KEY_OCTETS[spec.transform.cipher][0]!): number {
    return this.crypto.openKey(spec.transform, keyOf(keyOctets), macKeyOf(MAC_KEY_OCTETS[spec.transform.mac]));
  }

  outbound(spec: SecurityAssociationSpec, keyOctets?: number): OutboundSa {
    const sa = new OutboundSa(spec, this.key(spec, keyOctets), 0);
    sa.reserve(1, 1_000_000);
    return sa;
  }

  inbound(spec: SecurityAssociationSpec, keyOctets?: number): InboundSa {
    return new InboundSa(spec, this.key(spec, keyOctets), 0);
  }

  /** The octets as a frame in a port's memory, filler around them. */
  place(octets: Uint8Array, index = 0): Frame {
    const frame = new Frame();
    frame.headroomStart = this.#base + index * STRIDE;
    frame.start = frame.headroomStart + 144;
    frame.end = frame.start + octets.length;
    this.arena.bytes.fill(FILLER, frame.headroomStart, frame.headroomStart + Math.min(STRIDE, octets.length + 500));
    this.arena.bytes.set(octets, frame.start);
    frame.member = 7;
    return frame;
  }

  octetsOf(frame: Frame): Buffer {
    return Buffer.from(this.arena.bytes.slice(frame.start, frame.end));
  }

  /** Seals each packet; those that are refused have a verdict and no octets. */
  seal(sa: OutboundSa, ...packets: readonly Uint8Array[]): Opened[] {
    const outcomes: Opened[] = [];
    const queued: { outcome: Opened; frame: Frame; before: Buffer }[] = [];
    for (const [index, packet] of packets.entries()) {
      const frame = this.place(packet, index);
      const outcome: Opened = { verdict: this.sealer.add(frame, sa), octets: Buffer.alloc(0) };
      outcomes.push(outcome);
      if (outcome.verdict === FORWARD) queued.push({ outcome, frame, before: Buffer.from(packet) });
    }
    assert.equal(this.sealer.flush(), queued.length);
    for (const [entry, { outcome, frame, before }] of queued.entries()) {
      assert.equal(this.sealer.sources[entry], frame);
      assert.equal(this.sealer.associations[entry], sa);
      assert.deepEqual(this.octetsOf(frame), before, 'the source is as it was');
      assert.ok(this.arena.bytes.subarray(frame.end, frame.end + 100).every((octet) => octet === FILLER));
      outcome.verdict = this.sealer.verdicts[entry]!;
      if (outcome.verdict !== FORWARD) continue;
      const sealed = this.sealer.sealed[entry]!;
      assert.equal(sealed.member, 7);
      outcome.octets = this.octetsOf(sealed);
      this.pool.release(sealed);
    }
    this.sealer.clear();
    assert.equal(this.pool.free, this.#free, 'no frame is left');
    return outcomes;
  }

  /** Opens each packet, its ESP or AH header found by `headerOf`. */
  open(sa: InboundSa, ...packets: readonly Uint8Array[]): Opened[] {
    const outcomes: Opened[] = [];
    const queued: { outcome: Opened; frame: Frame }[] = [];
    for (const [index, packet] of packets.entries()) {
      const frame = this.place(packet, index);
      const verdict = this.opener.add(frame, sa, frame.start + headerOf(packet, sa));
      if (verdict !== FORWARD) assert.deepEqual(this.octetsOf(frame), Buffer.from(packet), 'the packet is as it was');
      const outcome: Opened = { verdict, octets: Buffer.alloc(0) };
      outcomes.push(outcome);
      if (verdict === FORWARD) queued.push({ outcome, frame });
    }
    assert.equal(this.opener.flush(), queued.length);
    for (const [entry, { outcome, frame }] of queued.entries()) {
      assert.equal(this.opener.sources[entry], frame);
      outcome.verdict = this.opener.verdicts[entry]!;
      if (outcome.verdict !== FORWARD) continue;
      const opened = this.opener.opened[entry]!;
      assert.equal(opened.member, 7);
      outcome.octets = this.octetsOf(opened);
      this.pool.release(opened);
    }
    this.opener.clear();
    assert.equal(this.pool.free, this.#free, 'no frame is left');
    return outcomes;
  }
}

const ROUTER_HEADERS = [0, 43, 44, 60];

/** Where the ESP or AH header of a packet stands, from its start. */
export function headerOf(packet: Uint8Array, { isUdp }: { isUdp: boolean }): number {
  const udp = isUdp ? 8 : 0;
  if (packet[0]! >>> 4 === 4) return (packet[0]! & 15) * 4 + udp;
  let at = 40;
  let next = packet[6]!;
  while (ROUTER_HEADERS.includes(next)) {
    const octets = next === 44 ? 8 : (packet[at + 1]! + 1) * 8;
    next = packet[at]!;
    at += octets;
  }
  return at + udp;
}
