// The ciphers of IPsec as this folder sees them: a batch of jobs over the arena, done by whoever is injected.
//
// A job is a row of words, filled by the caller and completed by the batch: no object, no view, no copy per packet.
// What a job means for each protocol stands with `CryptoBatch`.

/** How payloads are encrypted. `aes-gmac` and `null` encrypt nothing (RFC 4543; RFC 2410). */
export type CipherName = 'aes-gcm' | 'aes-gmac' | 'aes-cbc' | '3des-cbc' | 'null';

/** How packets are authenticated where the cipher does not do it itself. */
export type MacName = 'none' | 'hmac-sha1-96' | 'hmac-sha256-128' | 'hmac-sha384-192' | 'hmac-sha512-256';

/** What keys are for. The length of the encryption key says which AES it is; that of a combined cipher ends with the salt. */
export type Transform = { readonly cipher: CipherName; readonly mac: MacName };

/** Octets of IV that a packet carries. */
export const IV_OCTETS: Readonly<Record<CipherName, number>> = {
  'aes-gcm': 8,
  'aes-gmac': 8,
  'aes-cbc': 16,
  '3des-cbc': 8,
  null: 0,
};

/** What the plaintext with its trailer is a multiple of; ESP itself asks for 4 (RFC 4303, section 2.4). */
export const BLOCK_OCTETS: Readonly<Record<CipherName, number>> = {
  'aes-gcm': 4,
  'aes-gmac': 4,
  'aes-cbc': 16,
  '3des-cbc': 8,
  null: 4,
};

/** Octets of ICV; that of a combined cipher is always the full one. */
export const ICV_OCTETS: Readonly<Record<MacName, number>> = {
  none: 16,
  'hmac-sha1-96': 12,
  'hmac-sha256-128': 16,
  'hmac-sha384-192': 24,
  'hmac-sha512-256': 32,
};

/** Octets of the ICV that packets of a transform carry; 0: they carry none. */
export const icvOctets = ({ cipher, mac }: Transform): number =>
  mac === 'none' && cipher !== 'aes-gcm' && cipher !== 'aes-gmac' ? 0 : ICV_OCTETS[mac];

/** Lengths of encryption keys that there are, in octets, the salt of 4 included (RFC 4106, section 8.1). */
export const KEY_OCTETS: Readonly<Record<CipherName, readonly number[]>> = {
  'aes-gcm': [20, 28, 36],
  'aes-gmac': [20, 28, 36],
  'aes-cbc': [16, 24, 32],
  '3des-cbc': [24],
  null: [0],
};

/** The length of the key of each MAC, in octets (RFC 2404, RFC 4868). */
export const MAC_KEY_OCTETS: Readonly<Record<MacName, number>> = {
  none: 0,
  'hmac-sha1-96': 20,
  'hmac-sha256-128': 32,
  'hmac-sha384-192': 48,
  'hmac-sha512-256': 64,
};

/** Jobs that one call takes at most. */
export const MAX_JOBS = 256;

/** Words of a job. */
export const JOB_WORDS = 16;

/** Indices of the words of a job. */
export const Job = {
  /** What `openKey` returned. */
  key: 0,
  /** Arena offset: seal, the payload; open, the ESP header; digest, the first octet that is authenticated. */
  source: 1,
  /** Octets from there: seal, the payload; open, the ESP packet to the end of its ICV; digest, what is authenticated. */
  octets: 2,
  /** Arena offset: seal, where the ESP packet goes, SPI and sequence number written; digest, where the ICV goes or is. */
  target: 3,
  /** Upper half of the sequence number; counts for the ICV only with `extended`. */
  sequenceHigh: 4,
  /** Seal: octets of padding in front of the pad length. */
  padOctets: 5,
  /** Seal: the next header of the trailer. */
  nextHeader: 6,
  /** Completed by the batch: a value of JobStatus. */
  status: 7,
  /** 1: extended sequence numbers (RFC 4303, section 2.2.1). */
  extended: 8,
  /** Lower half of the sequence number, for digest; seal and open read it from the ESP header. */
  sequenceLow: 9,
  /** Added to the upper half of the sequence number where that is the upper half of an IV. */
  ivOffset: 10,
  /**
   * Seal, of a payload whose transport checksum is unfinished: octets from its start to the transport header, and from there on,
   * times 65,536, to the checksum field, which holds the sum of the pseudo-header. It is finished before anything is encrypted.
   * 0: there is none to finish.
   */
  checksum: 11,
} as const;

export const JobStatus = {
  ok: 0,
  /** The ICV is another one. Nothing was decrypted. */
  icvInvalid: 1,
  /** The packet is too short for the transform, or not a multiple of its block. */
  malformed: 2,
  /** The library has refused, for want of memory. */
  failed: 3,
} as const;

/** Does jobs in batches. Calls with a `count` of jobs use the first so many rows of `jobs`. */
export interface CryptoBatch {
  /** Which library does it: `openssl`, `ipsec-mb`. */
  readonly name: string;
  /** MAX_JOBS rows of JOB_WORDS words. */
  readonly jobs: Int32Array;
  /**
   * Prepares a key; returns its handle, which both directions may use. Throws RangeError on a length that the transform does
   * not have. `key` ends with the salt of a combined cipher. The octets given are not kept.
   */
  openKey(transform: Transform, key: Uint8Array, macKey: Uint8Array): number;
  closeKey(handle: number): void;
  /**
   * ESP on its way out. From `target` on there will be: SPI and sequence number (written by the caller), IV, the payload
   * copied from `source`, padding 1, 2, 3 …, pad length, next header, all of that encrypted, and the ICV. Source and target
   * do not overlap, or the payload lies already where it shall lie. The IV of a combined cipher is the 64-bit sequence
   * number, `sequenceHigh` + `ivOffset` its upper half, so that no IV comes twice; that of a block cipher cannot be predicted.
   */
  seal(count: number): void;
  /**
   * ESP that came in, checked and then decrypted where it lies. The ICV is checked before anything else is believed; padding
   * is left to the caller.
   */
  open(count: number): void;
  /**
   * AH: computes the ICV of `octets` from `source` on, with the high sequence number behind where `extended`, and writes it
   * to `target`, which may lie among what is authenticated: the caller has zeros there. With `aes-gmac` the IV, from the
   * sequence number, is written to the 8 octets in front of `target` (RFC 4543, section 4), where there are zeros as well while
   * the ICV is computed.
   */
  digest(count: number): void;
  /**
   * The same, but compares with what stands at `target`, with the IV of `aes-gmac` in front of it. That is a copy, outside of
   * what is authenticated, where the caller has put zeros in the place of both.
   */
  verify(count: number): void;
}
