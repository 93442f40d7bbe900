// The ciphers of IPsec in the addon (native-bindings/esp_crypto.c), by one of two libraries with the same results: OpenSSL, which
// is in Node.js, or ipsec-mb, where it is installed (docs/decisions/batch-crypto.md).

import {
  type CipherName,
  type CryptoBatch,
  JOB_WORDS,
  KEY_OCTETS,
  MAC_KEY_OCTETS,
  type MacName,
  MAX_JOBS,
  type Transform,
} from '../ipsec/crypto.ts';
import type { Addon } from '../native/addon.ts';

export type CryptoBackend = 'openssl' | 'ipsec-mb';

/** The addon's numbers. */
const BACKENDS: readonly CryptoBackend[] = ['openssl', 'ipsec-mb'];
const CIPHERS: readonly CipherName[] = ['aes-gcm', 'aes-gmac', 'aes-cbc', '3des-cbc', 'null'];
const MACS: readonly MacName[] = ['none', 'hmac-sha1-96', 'hmac-sha256-128', 'hmac-sha384-192', 'hmac-sha512-256'];
const Operation = { seal: 0, open: 1, digest: 2, verify: 3 } as const;

export type CryptoBatchOptions = {
  /** Which library; without it ipsec-mb where it can be used, and OpenSSL otherwise. */
  backend?: CryptoBackend | undefined;
};

/**
 * Makes a batch for the calling thread. Handles of keys are valid in every batch of the process, for one thread at a time: a
 * key is opened and closed by one thread and used by another, whose batch has been told of it, and has forgotten it before it
 * is closed. Throws an Error that says why, when the library that was asked for cannot be used.
 */
export function openCryptoBatch(addon: Addon, arena: number, options: CryptoBatchOptions = {}): AddonCryptoBatch {
  const unavailable = addon.cryptoMultiBufferUnavailable();
  if (options.backend === 'ipsec-mb' && unavailable !== '') throw new Error(`there is no ipsec-mb: ${unavailable}`);
  if (options.backend !== undefined) return new AddonCryptoBatch(addon, arena, options.backend, 'it was asked for');
  return unavailable === ''
    ? new AddonCryptoBatch(addon, arena, 'ipsec-mb', 'it is installed')
    : new AddonCryptoBatch(addon, arena, 'openssl', `there is no ipsec-mb: ${unavailable}`);
}

export class AddonCryptoBatch implements CryptoBatch {
  readonly name: CryptoBackend;
  /** Why it is this library. */
  readonly reason: string;
  readonly jobs = new Int32Array(MAX_JOBS * JOB_WORDS);
  readonly #addon: Addon;
  readonly #arena: number;

  constructor(addon: Addon, arena: number, name: CryptoBackend, reason: string) {
    this.#addon = addon;
    this.#arena = arena;
    this.name = name;
    this.reason = reason;
  }

  openKey(transform: Transform, key: Uint8Array, macKey: Uint8Array): number {
    checkTransform(transform);
    checkOctets(`key of ${transform.cipher}`, key, KEY_OCTETS[transform.cipher]);
    checkOctets(`key of the MAC ${transform.mac}`, macKey, [MAC_KEY_OCTETS[transform.mac]]);
    const numbers = CIPHERS.indexOf(transform.cipher) | (MACS.indexOf(transform.mac) << 8);
    return this.#addon.cryptoOpenKey(BACKENDS.indexOf(this.name), numbers, key, macKey);
  }

  closeKey(handle: number): void {
    this.#addon.cryptoCloseKey(handle);
  }

  seal(count: number): void {
    this.#addon.cryptoRun(this.#arena, Operation.seal, this.jobs, count);
  }

  open(count: number): void {
    this.#addon.cryptoRun(this.#arena, Operation.open, this.jobs, count);
  }

  digest(count: number): void {
    this.#addon.cryptoRun(this.#arena, Operation.digest, this.jobs, count);
  }

  verify(count: number): void {
    this.#addon.cryptoRun(this.#arena, Operation.verify, this.jobs, count);
  }
}

function checkTransform({ cipher, mac }: Transform): void {
  if (!CIPHERS.includes(cipher)) throw new RangeError(`there is no cipher ${cipher}: use ${CIPHERS.join(', ')}`);
  if (!MACS.includes(mac)) throw new RangeError(`there is no MAC ${mac}: use ${MACS.join(', ')}`);
  if ((cipher === 'aes-gcm' || cipher === 'aes-gmac') && mac !== 'none') {
    throw new RangeError(`${cipher} authenticates by itself: use it with the MAC none, not with ${mac}`);
  }
}

/** The message has lengths, never octets. */
function checkOctets(what: string, octets: Uint8Array, lengths: readonly number[]): void {
  if (lengths.includes(octets.length)) return;
  throw new RangeError(`the ${what} has ${octets.length} octets: it must have ${lengths.join(', or ')}`);
}
