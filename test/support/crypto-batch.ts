// The ciphers of IPsec by node:crypto, one packet at a time: slow, simple, and written from the RFCs, as a judge of what is fast.

import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  BLOCK_OCTETS,
  type CipherName,
  type CryptoBatch,
  ICV_OCTETS,
  icvOctets,
  IV_OCTETS,
  Job,
  JOB_WORDS,
  JobStatus,
  KEY_OCTETS,
  MAC_KEY_OCTETS,
  type MacName,
  MAX_JOBS,
  type Transform,
} from '../../src/ipsec/crypto.ts';
import { naiveChecksum } from './naive-checksum.ts';

const SALT_OCTETS = 4;
const TAG_OCTETS = 16;
const HASH: Readonly<Record<Exclude<MacName, 'none'>, string>> = {
  'hmac-sha1-96': 'sha1',
  'hmac-sha256-128': 'sha256',
  'hmac-sha384-192': 'sha384',
  'hmac-sha512-256': 'sha512',
};

type Key = { transform: Transform; key: Buffer; salt: Buffer; macKey: Buffer };
type Row = Record<keyof typeof Job, number>;

const isCombined = (cipher: CipherName): boolean => cipher === 'aes-gcm' || cipher === 'aes-gmac';
const word = (value: number): Buffer => {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value >>> 0);
  return octets;
};

export class NodeCryptoBatch implements CryptoBatch {
  readonly name = 'node';
  readonly jobs = new Int32Array(MAX_JOBS * JOB_WORDS);
  readonly #bytes: Uint8Array;
  readonly #keys: (Key | undefined)[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  openKey(transform: Transform, key: Uint8Array, macKey: Uint8Array): number {
    if (!KEY_OCTETS[transform.cipher].includes(key.length)) throw new RangeError(`a key of ${key.length} octets`);
    if (MAC_KEY_OCTETS[transform.mac] !== macKey.length) throw new RangeError(`a MAC key of ${macKey.length} octets`);
    const salt = isCombined(transform.cipher) ? key.length - SALT_OCTETS : key.length;
    this.#keys.push({
      transform,
      key: Buffer.from(key.subarray(0, salt)),
      salt: Buffer.from(key.subarray(salt)),
      macKey: Buffer.from(macKey),
    });
    return this.#keys.length - 1;
  }

  closeKey(handle: number): void {
    this.#keys[handle] = undefined;
  }

  seal(count: number): void {
    this.#each(count, (row, key) => this.#seal(row, key));
  }

  open(count: number): void {
    this.#each(count, (row, key) => this.#open(row, key));
  }

  digest(count: number): void {
    this.#each(count, (row, key) => {
      const iv = Buffer.concat([word(row.sequenceHigh + row.ivOffset), word(row.sequenceLow)]);
      const icv = this.#ahIcv(row, key, iv);
      this.#bytes.set(icv, row.target);
      if (isCombined(key.transform.cipher)) this.#bytes.set(iv, row.target - iv.length);
      return JobStatus.ok;
    });
  }

  verify(count: number): void {
    this.#each(count, (row, key) => {
      const icv = this.#ahIcv(row, key, this.#copy(row.target - 8, row.target));
      return icv.equals(this.#copy(row.target, row.target + icv.length)) ? JobStatus.ok : JobStatus.icvInvalid;
    });
  }

  #each(count: number, act: (row: Row, key: Key) => number): void {
    for (let index = 0; index < count; index++) {
      const base = index * JOB_WORDS;
      const row = Object.fromEntries(Object.entries(Job).map(([name, at]) => [name, this.jobs[base + at]!])) as Row;
      this.jobs[base + Job.status] = act(row, this.#keys[row.key]!);
    }
  }

  #copy(start: number, end: number): Buffer {
    return Buffer.from(this.#bytes.slice(start, end));
  }

  #seal(row: Row, key: Key): number {
    const { cipher, mac } = key.transform;
    const head = this.#copy(row.target, row.target + 8);
    const padding = Buffer.from(Array.from({ length: row.padOctets }, (_, index) => index + 1));
    const trailer = Buffer.from([row.padOctets, row.nextHeader]);
    const payload = this.#copy(row.source, row.source + row.octets);
    if (row.checksum !== 0) finishChecksum(payload, row.checksum);
    const plain = Buffer.concat([payload, padding, trailer]);
    const sequence = Buffer.concat([word(row.sequenceHigh + row.ivOffset), head.subarray(4)]);
    const iv = isCombined(cipher) ? sequence : randomBytes(IV_OCTETS[cipher]);
    const body = isCombined(cipher)
      ? this.#sealCombined(row, key, head, iv, plain)
      : Buffer.concat([iv, encrypt(cipher, key.key, iv, plain)]);
    const sealed = Buffer.concat([head, body]);
    const icv = isCombined(cipher) || mac === 'none' ? Buffer.alloc(0) : hmac(key, mac, sealed, row);
    this.#bytes.set(Buffer.concat([sealed, icv]), row.target);
    return JobStatus.ok;
  }

  #sealCombined(row: Row, key: Key, head: Buffer, iv: Buffer, plain: Buffer): Buffer {
    const isGmac = key.transform.cipher === 'aes-gmac';
    const cipher = createCipheriv(gcmOf(key), key.key, Buffer.concat([key.salt, iv]), { authTagLength: TAG_OCTETS });
    cipher.setAAD(isGmac ? Buffer.concat([aad(row, head), iv, plain]) : aad(row, head));
    const encrypted = isGmac ? (cipher.final(), plain) : Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([iv, encrypted, cipher.getAuthTag()]);
  }

  #open(row: Row, key: Key): number {
    const { cipher, mac } = key.transform;
    const packet = this.#copy(row.source, row.source + row.octets);
    const ivEnd = 8 + IV_OCTETS[cipher];
    const end = packet.length - icvOctets(key.transform);
    if (end - ivEnd < 2 || (end - ivEnd) % BLOCK_OCTETS[cipher] !== 0) return JobStatus.malformed;
    const head = packet.subarray(0, 8);
    const iv = packet.subarray(8, ivEnd);
    const body = packet.subarray(ivEnd, end);
    const icv = packet.subarray(end);
    let plain = body;
    if (isCombined(cipher)) {
      const isGmac = cipher === 'aes-gmac';
      const opener = createDecipheriv(gcmOf(key), key.key, Buffer.concat([key.salt, iv]), {
        authTagLength: TAG_OCTETS,
      });
      opener.setAAD(isGmac ? Buffer.concat([aad(row, head), iv, body]) : aad(row, head));
      opener.setAuthTag(icv);
      try {
        plain = isGmac ? (opener.final(), body) : Buffer.concat([opener.update(body), opener.final()]);
      } catch {
        return JobStatus.icvInvalid;
      }
    } else {
      if (mac !== 'none' && !timingSafeEqual(icv, hmac(key, mac, packet.subarray(0, end), row)))
        return JobStatus.icvInvalid;
      plain = decrypt(cipher, key.key, iv, body);
    }
    this.#bytes.set(plain, row.source + ivEnd);
    return JobStatus.ok;
  }

  #ahIcv(row: Row, key: Key, iv: Buffer): Buffer {
    const data = this.#copy(row.source, row.source + row.octets);
    const { cipher, mac } = key.transform;
    if (!isCombined(cipher)) return hmac(key, mac as Exclude<MacName, 'none'>, data, row);
    const gmac = createCipheriv(gcmOf(key), key.key, Buffer.concat([key.salt, iv]), { authTagLength: TAG_OCTETS });
    gmac.setAAD(row.extended === 1 ? Buffer.concat([data, word(row.sequenceHigh)]) : data);
    gmac.final();
    return gmac.getAuthTag();
  }
}

/** As `Job.checksum` has it. */
export function finishChecksum(payload: Buffer, place: number): void {
  const [start, field] = [place & 0xffff, place >>> 16];
  const checksum = naiveChecksum(payload.subarray(start));
  payload.writeUInt16BE(checksum === 0 && field === 6 ? 0xffff : checksum, start + field);
}

const gcmOf = ({ key }: Key): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' =>
  `aes-${(key.length * 8) as 128 | 192 | 256}-gcm`;

/** RFC 4106, section 5: with extended numbers the upper half stands between SPI and the lower one. */
const aad = (row: Row, head: Buffer): Buffer =>
  row.extended === 1 ? Buffer.concat([head.subarray(0, 4), word(row.sequenceHigh), head.subarray(4)]) : head;

function hmac(key: Key, mac: Exclude<MacName, 'none'>, data: Buffer, row: Row): Buffer {
  const digest = createHmac(HASH[mac], key.macKey).update(data);
  if (row.extended === 1) digest.update(word(row.sequenceHigh));
  return digest.digest().subarray(0, ICV_OCTETS[mac]);
}

const blockCipher = (cipher: CipherName, key: Buffer): string =>
  cipher === '3des-cbc' ? 'des-ede3-cbc' : `aes-${key.length * 8}-cbc`;

function encrypt(cipher: CipherName, key: Buffer, iv: Buffer, plain: Buffer): Buffer {
  if (cipher === 'null') return plain;
  const sealer = createCipheriv(blockCipher(cipher, key), key, iv).setAutoPadding(false);
  return Buffer.concat([sealer.update(plain), sealer.final()]);
}

function decrypt(cipher: CipherName, key: Buffer, iv: Buffer, body: Buffer): Buffer {
  if (cipher === 'null') return body;
  const opener = createDecipheriv(blockCipher(cipher, key), key, iv).setAutoPadding(false);
  return Buffer.concat([opener.update(body), opener.final()]);
}
