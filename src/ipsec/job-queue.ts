// Jobs for the ciphers, one for each packet of a batch, sorted by protocol only when they are done: sealer and opener share one table
// of jobs, and ESP and AH go to different calls.

import { type CryptoBatch, Job, JOB_WORDS, JobStatus, MAX_JOBS } from './crypto.ts';
import { Drop, FORWARD, type Verdict } from '../core/drop-reason.ts';

const VERDICTS: Readonly<Record<number, Verdict>> = {
  [JobStatus.ok]: FORWARD,
  [JobStatus.icvInvalid]: Drop.ipsecIcvInvalid,
  [JobStatus.malformed]: Drop.ipsecTooShort,
  [JobStatus.failed]: Drop.ipsecCryptoFailed,
};

export class JobQueue {
  /** One row an entry, laid out as Job says. */
  readonly rows = new Int32Array(MAX_JOBS * JOB_WORDS);
  readonly #crypto: CryptoBatch;
  readonly #isAh = new Uint8Array(MAX_JOBS);
  readonly #entries = new Int32Array(MAX_JOBS);

  constructor(crypto: CryptoBatch) {
    this.#crypto = crypto;
  }

  /** Starts the row of an entry; returns the index of its first word. */
  begin(entry: number, isAh: boolean, key: number, extended: boolean, high: number, low: number, ivOffset = 0): number {
    const row = entry * JOB_WORDS;
    this.#isAh[entry] = isAh ? 1 : 0;
    this.rows[row + Job.key] = key;
    this.rows[row + Job.extended] = extended ? 1 : 0;
    this.rows[row + Job.sequenceHigh] = high;
    this.rows[row + Job.sequenceLow] = low;
    this.rows[row + Job.ivOffset] = ivOffset;
    this.rows[row + Job.checksum] = 0;
    return row;
  }

  isAh(entry: number): boolean {
    return this.#isAh[entry] === 1;
  }

  /** Copies the rows of one protocol to the batch; how many those are. */
  load(count: number, isAh: boolean): number {
    const { jobs } = this.#crypto;
    const wanted = isAh ? 1 : 0;
    let loaded = 0;
    for (let entry = 0; entry < count; entry++) {
      if (this.#isAh[entry] !== wanted) continue;
      const from = entry * JOB_WORDS;
      const to = loaded * JOB_WORDS;
      for (let word = 0; word < JOB_WORDS; word++) jobs[to + word] = this.rows[from + word]!;
      this.#entries[loaded++] = entry;
    }
    return loaded;
  }

  /** Takes what came of the rows that were loaded last. */
  store(loaded: number): void {
    const { jobs } = this.#crypto;
    for (let index = 0; index < loaded; index++) {
      this.rows[this.#entries[index]! * JOB_WORDS + Job.status] = jobs[index * JOB_WORDS + Job.status]!;
    }
  }

  verdict(entry: number): Verdict {
    return VERDICTS[this.rows[entry * JOB_WORDS + Job.status]!] ?? Drop.ipsecCryptoFailed;
  }
}
