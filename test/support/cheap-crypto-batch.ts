// A stand-in for the ciphers where millions of packets matter more than secrecy: nothing is encrypted, and the ICV is made of SPI and
// sequence number only, so that most of what a mutation changes is taken for authentic and looked at further.

import {
  type CryptoBatch,
  icvOctets,
  IV_OCTETS,
  Job,
  JOB_WORDS,
  JobStatus,
  MAX_JOBS,
  type Transform,
} from '../../src/ipsec/crypto.ts';
import { finishChecksum } from './crypto-batch.ts';
import { read32, write32 } from '../../src/core/octets.ts';

type Sizes = { iv: number; icv: number };

export class CheapCryptoBatch implements CryptoBatch {
  readonly name = 'cheap';
  readonly jobs = new Int32Array(MAX_JOBS * JOB_WORDS);
  readonly #bytes: Uint8Array;
  readonly #keys: Sizes[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  openKey(transform: Transform): number {
    this.#keys.push({ iv: IV_OCTETS[transform.cipher], icv: icvOctets(transform) });
    return this.#keys.length - 1;
  }

  closeKey(): void {
    // Sizes only.
  }

  seal(count: number): void {
    const bytes = this.#bytes;
    for (let row = 0; row < count * JOB_WORDS; row += JOB_WORDS) {
      const { iv, icv } = this.#keys[this.jobs[row + Job.key]!]!;
      const [source, octets, target] = [Job.source, Job.octets, Job.target].map((word) => this.jobs[row + word]!) as [
        number,
        number,
        number,
      ];
      const payload = target + 8 + iv;
      bytes.fill(7, target + 8, payload);
      bytes.copyWithin(payload, source, source + octets);
      const checksum = this.jobs[row + Job.checksum]!;
      if (checksum !== 0) finishChecksum(Buffer.from(bytes.buffer, bytes.byteOffset + payload, octets), checksum);
      let at = payload + octets;
      const padOctets = this.jobs[row + Job.padOctets]!;
      for (let index = 1; index <= padOctets; index++) bytes[at++] = index;
      bytes[at++] = padOctets;
      bytes[at++] = this.jobs[row + Job.nextHeader]!;
      this.#writeIcv(at, icv, this.#hash(row, read32(bytes, target), read32(bytes, target + 4)));
      this.jobs[row + Job.status] = JobStatus.ok;
    }
  }

  open(count: number): void {
    for (let row = 0; row < count * JOB_WORDS; row += JOB_WORDS) {
      const source = this.jobs[row + Job.source]!;
      const { icv } = this.#keys[this.jobs[row + Job.key]!]!;
      const hash = this.#hash(row, read32(this.#bytes, source), read32(this.#bytes, source + 4));
      this.#compare(row, source + this.jobs[row + Job.octets]! - icv, hash);
    }
  }

  digest(count: number): void {
    for (let row = 0; row < count * JOB_WORDS; row += JOB_WORDS) {
      const { icv } = this.#keys[this.jobs[row + Job.key]!]!;
      this.#writeIcv(this.jobs[row + Job.target]!, icv, this.#hash(row, 0, this.jobs[row + Job.sequenceLow]!));
      this.jobs[row + Job.status] = JobStatus.ok;
    }
  }

  verify(count: number): void {
    for (let row = 0; row < count * JOB_WORDS; row += JOB_WORDS) {
      this.#compare(row, this.jobs[row + Job.target]!, this.#hash(row, 0, this.jobs[row + Job.sequenceLow]!));
    }
  }

  #hash(row: number, spi: number, low: number): number {
    const high = this.jobs[row + Job.extended] === 1 ? this.jobs[row + Job.sequenceHigh]! : 0;
    return (Math.imul(spi, 31) ^ Math.imul(low, 17) ^ high) | 0;
  }

  #writeIcv(at: number, octets: number, hash: number): void {
    for (let index = 0; index < octets; index += 4) write32(this.#bytes, at + index, hash);
  }

  /** Of the ICV only the first word counts. */
  #compare(row: number, at: number, hash: number): void {
    this.jobs[row + Job.status] = read32(this.#bytes, at) === hash ? JobStatus.ok : JobStatus.icvInvalid;
  }
}
