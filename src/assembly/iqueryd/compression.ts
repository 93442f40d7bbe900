// One direction of a connection of the mesh as a gzip stream, once `compress` has been said (docs/iquery.md, "Compression").

import { constants, createGunzip, createGzip } from 'node:zlib';
import { errorText } from '../../core/errors.ts';

export type InflaterEvents = {
  /** What it inflates to, in order; the octets are the receiver's. An error that this throws ends the stream. */
  output(octets: Uint8Array): void;
  /** Nothing comes any more: called once at most, with a reason for a person. Not after `close`. */
  failed(reason: string): void;
  /** There is room again, after `write` was false. */
  drained?(): void;
};

export type InflateLimits = {
  /**
   * Octets that may come out of one write. Each octet that was inflated allows `ratio` more for the next, up to `allowance`
   * together: a stream that goes on inflating to more than that uses it up, and has failed.
   */
  readonly allowance: number;
  readonly ratio: number;
  /** Octets that wait to be inflated, from which on `write` is false; ten times as many are a failure. */
  readonly waiting: number;
};

/** A snapshot of 10,000 virtual servers inflates to 15 times its size, a bomb to 1000 times. */
export const INFLATE_LIMITS: InflateLimits = { allowance: 8_388_608, ratio: 100, waiting: 262_144 };

export type Inflater = {
  /** White space before the stream is skipped. False: enough waits to be inflated, `drained` says when there is room. The octets must not change afterwards. */
  write(octets: Uint8Array): boolean;
  close(): void;
};

const OUTPUT_OCTETS = 16_384;

export function createInflater(events: InflaterEvents, limits: InflateLimits = INFLATE_LIMITS): Inflater {
  const gunzip = createGunzip({ chunkSize: OUTPUT_OCTETS });
  let allowed = limits.allowance;
  let waiting = 0;
  let isFull = false;
  let isOver = false;
  let hasBegun = false;

  const fail = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    gunzip.destroy();
    events.failed(reason);
  };
  gunzip.on('data', (octets: Uint8Array) => {
    if (isOver) return;
    allowed -= octets.length;
    if (allowed < 0) {
      fail(`its compressed stream inflates to more than ${limits.ratio} times its size`);
      return;
    }
    try {
      events.output(octets);
    } catch (error) {
      fail(errorText(error));
    }
  });
  gunzip.on('error', (error) => fail(`its compressed stream is damaged: ${errorText(error)}`));
  gunzip.on('end', () => fail('its compressed stream has ended'));

  return {
    write: (given) => {
      if (isOver) return false;
      const octets = hasBegun ? given : withoutSpace(given);
      if (octets.length === 0) return !isFull;
      hasBegun = true;
      waiting += octets.length;
      if (waiting > 10 * limits.waiting) {
        fail(`more than ${10 * limits.waiting} octets wait to be inflated`);
        return false;
      }
      gunzip.write(octets, () => {
        waiting -= octets.length;
        allowed = Math.min(limits.allowance, allowed + octets.length * limits.ratio);
        if (!isFull || waiting >= limits.waiting || isOver) return;
        isFull = false;
        events.drained?.();
      });
      isFull ||= waiting >= limits.waiting;
      return !isFull;
    },
    close: () => {
      isOver = true;
      gunzip.destroy();
    },
  };
}

/** Between `compress` and the stream there may be the end of a line. */
function withoutSpace(octets: Uint8Array): Uint8Array {
  const start = octets.findIndex((octet) => octet !== 0x0a && octet !== 0x0d && octet !== 0x20 && octet !== 0x09);
  return start < 0 ? octets.subarray(octets.length) : octets.subarray(start);
}

export type Deflater = {
  /** Kept until `flush`. */
  write(text: string): void;
  /** Compresses what was written since the last one, so that a receiver can inflate all of it. */
  flush(): void;
  /** Octets of text that were given and have not come out. */
  readonly waiting: number;
  /** Nothing comes out any more. */
  close(): void;
};

/** Half the memory that zlib takes unless told, and as few octets for records: there is a stream for each connection. */
const DEFLATE_OPTIONS = { level: 3, memLevel: 7, windowBits: 14, chunkSize: OUTPUT_OCTETS } as const;

/** `output` gets the gzip stream; `failed` if there is no memory for it. */
export function createDeflater(output: (octets: Uint8Array) => void, failed?: (reason: string) => void): Deflater {
  // Each write is a batch that can be inflated.
  const gzip = createGzip({ ...DEFLATE_OPTIONS, flush: constants.Z_SYNC_FLUSH });
  let texts: string[] = [];
  let waiting = 0;
  let isOver = false;
  gzip.on('data', (octets: Uint8Array) => {
    if (!isOver) output(octets);
  });
  gzip.on('error', (error) => {
    if (!isOver) failed?.(`what is sent cannot be compressed: ${errorText(error)}`);
    isOver = true;
  });
  return {
    write: (text) => {
      texts.push(text);
      waiting += Buffer.byteLength(text);
    },
    flush: () => {
      if (texts.length === 0 || isOver) return;
      const batch = Buffer.from(texts.join(''));
      texts = [];
      gzip.write(batch, () => {
        waiting -= batch.length;
      });
    },
    get waiting() {
      return waiting;
    },
    close: () => {
      isOver = true;
      texts = [];
      gzip.destroy();
    },
  };
}
