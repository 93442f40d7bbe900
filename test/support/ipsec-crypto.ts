// What tests of the batch of ciphers share: every transform there is, and an implementation of ESP and AH by node:crypto, one
// cipher object a packet, written from the RFCs alone.

import { createCipheriv, createHmac, type CipherGCMTypes } from 'node:crypto';
import { icvOctets, IV_OCTETS, KEY_OCTETS, MAC_KEY_OCTETS, type Transform } from '../../src/ipsec/crypto.ts';
import { Job, JOB_WORDS } from '../../src/ipsec/crypto.ts';
import type { Random } from '../fuzz/mutator.ts';

/** A transform with keys. */
export type Keyed = { transform: Transform; key: Uint8Array; macKey: Uint8Array };

export type Packet = {
  spi: number;
  sequenceHigh: number;
  sequenceLow: number;
  extended: boolean;
  payload: Uint8Array;
  padOctets: number;
  nextHeader: number;
};

const MACS = ['none', 'hmac-sha1-96', 'hmac-sha256-128', 'hmac-sha384-192', 'hmac-sha512-256'] as const;
const HASHES = {
  'hmac-sha1-96': 'sha1',
  'hmac-sha256-128': 'sha256',
  'hmac-sha384-192': 'sha384',
  'hmac-sha512-256': 'sha512',
} as const;

/** Each transform with each length of key. */
export const TRANSFORMS: readonly { transform: Transform; keyOctets: number }[] = (
  ['aes-gcm', 'aes-gmac', 'aes-cbc', '3des-cbc', 'null'] as const
).flatMap((cipher) =>
  KEY_OCTETS[cipher].flatMap((keyOctets) =>
    MACS.filter((mac) => mac === 'none' || (cipher !== 'aes-gcm' && cipher !== 'aes-gmac')).map((mac) => ({
      transform: { cipher, mac },
      keyOctets,
    })),
  ),
);

export const isCombined = ({ cipher }: Transform): boolean => cipher === 'aes-gcm' || cipher === 'aes-gmac';

export const describeTransform = ({ transform, keyOctets }: (typeof TRANSFORMS)[number]): string =>
  `${transform.cipher} with a key of ${keyOctets} octets and MAC ${transform.mac}`;

export const randomOctets = (random: Random, octets: number): Uint8Array => {
  const result = new Uint8Array(octets);
  for (let at = 0; at < octets; at++) result[at] = random.below(256);
  return result;
};

export const randomKeys = (random: Random, { transform, keyOctets }: (typeof TRANSFORMS)[number]): Keyed => ({
  transform,
  key: randomOctets(random, keyOctets),
  macKey: randomOctets(random, MAC_KEY_OCTETS[transform.mac]),
});

/** Where the parts of an ESP packet are, from its start. */
export function espLayout(
  transform: Transform,
  payloadOctets: number,
  padOctets: number,
): { text: number; icv: number; end: number } {
  const text = 8 + IV_OCTETS[transform.cipher];
  const icv = text + payloadOctets + padOctets + 2;
  return { text, icv, end: icv + icvOctets(transform) };
}

const be32 = (value: number): Buffer => {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value >>> 0);
  return octets;
};

/** The ESP packet (RFC 4303, section 2); `iv` counts for block ciphers only. */
export function sealByNode({ transform, key, macKey }: Keyed, packet: Packet, iv: Uint8Array): Buffer {
  const { spi, sequenceHigh, sequenceLow, extended, payload, padOctets, nextHeader } = packet;
  const padding = Uint8Array.from({ length: padOctets }, (_, index) => index + 1);
  const text = Buffer.concat([payload, padding, Uint8Array.of(padOctets, nextHeader)]);
  const header = Buffer.concat([be32(spi), be32(sequenceLow)]);
  const authenticatedHeader = extended ? Buffer.concat([be32(spi), be32(sequenceHigh), be32(sequenceLow)]) : header;
  if (isCombined(transform)) {
    const ownIv = Buffer.concat([be32(sequenceHigh), be32(sequenceLow)]);
    if (transform.cipher === 'aes-gmac') {
      const tag = gmac(key, ownIv, Buffer.concat([authenticatedHeader, ownIv, text]));
      return Buffer.concat([header, ownIv, text, tag]);
    }
    const cipher = gcm(key, ownIv);
    cipher.setAAD(authenticatedHeader);
    const encrypted = Buffer.concat([cipher.update(text), cipher.final()]);
    return Buffer.concat([header, ownIv, encrypted, cipher.getAuthTag()]);
  }
  let encrypted = text;
  if (transform.cipher !== 'null') {
    const name = transform.cipher === '3des-cbc' ? 'des-ede3-cbc' : `aes-${key.length * 8}-cbc`;
    const cipher = createCipheriv(name, key, iv).setAutoPadding(false);
    encrypted = Buffer.concat([cipher.update(text), cipher.final()]);
  }
  const covered = Buffer.concat([header, transform.cipher === 'null' ? Buffer.alloc(0) : iv, encrypted]);
  return Buffer.concat([covered, hmac(transform, macKey, covered, extended, sequenceHigh)]);
}

/** The IV, where there is one, and the ICV of AH. */
export function digestByNode(
  { transform, key, macKey }: Keyed,
  covered: Uint8Array,
  { sequenceHigh, sequenceLow, extended }: Pick<Packet, 'sequenceHigh' | 'sequenceLow' | 'extended'>,
): Buffer {
  if (transform.cipher !== 'aes-gmac') return hmac(transform, macKey, covered, extended, sequenceHigh);
  const iv = Buffer.concat([be32(sequenceHigh), be32(sequenceLow)]);
  return Buffer.concat([iv, gmac(key, iv, Buffer.concat([covered, extended ? be32(sequenceHigh) : Buffer.alloc(0)]))]);
}

function gcm(
  key: Uint8Array,
  iv: Uint8Array,
): ReturnType<typeof createCipheriv> & { getAuthTag(): Buffer; setAAD(octets: Uint8Array): unknown } {
  const secret = key.subarray(0, -4);
  return createCipheriv(
    `aes-${secret.length * 8}-gcm` as CipherGCMTypes,
    secret,
    Buffer.concat([key.subarray(-4), iv]),
  );
}

function gmac(key: Uint8Array, iv: Uint8Array, covered: Uint8Array): Buffer {
  const cipher = gcm(key, iv);
  cipher.setAAD(covered);
  cipher.final();
  return cipher.getAuthTag();
}

function hmac({ mac }: Transform, key: Uint8Array, covered: Uint8Array, extended: boolean, high: number): Buffer {
  if (mac === 'none') return Buffer.alloc(0);
  const digest = createHmac(HASHES[mac], key).update(covered);
  if (extended) digest.update(be32(high));
  return digest.digest().subarray(0, icvOctets({ cipher: 'null', mac }));
}

/** Fills a row; words that are not named are 0. */
export function setJob(jobs: Int32Array, index: number, words: Partial<Record<keyof typeof Job, number>>): void {
  jobs.fill(0, index * JOB_WORDS, (index + 1) * JOB_WORDS);
  for (const [name, value] of Object.entries(words)) jobs[index * JOB_WORDS + Job[name as keyof typeof Job]] = value;
}

export const statusOf = (jobs: Int32Array, index: number): number => jobs[index * JOB_WORDS + Job.status]!;
