// Response rate limiting: how many answers of one kind the clients of one prefix get in a second, so that a server is of no use to
// who sends queries in the name of others (as in BIND, Knot and NSD; "DNS Response Rate Limiting", ISC-TN-2012-1).
//
// A bucket holds the answers of one second and is full again at the next, so who never asks for more than the rate in a second is
// never limited, and a bucket of an earlier second is as good as none. The table has a fixed size and needs no sweeping: where a
// new bucket finds no free place it takes that of the least used of its neighbours, which at worst lets something through.

export type RateLimit = {
  /** Answers of one kind to one prefix in a second; above 0. */
  readonly perSecond: number;
  /** Of the answers above that, every so manieth is sent truncated, so that real clients come by TCP; 0: none. */
  readonly slip: number;
  /** Bits of an address that make a client. */
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
};

/** What becomes of an answer. */
export const RateVerdict = { pass: 0, drop: 1, slip: 2 } as const;
export type RateVerdict = (typeof RateVerdict)[keyof typeof RateVerdict];

/** Numbers of a bucket: two hashes that are its key, the second that it is of, and answers in that. */
const BUCKET = { key: 0, check: 1, second: 2, used: 3 } as const;
const BUCKET_NUMBERS = 4;
const BUCKETS = 1 << 16;
/** Places that a bucket may be in, one behind the other. */
const NEIGHBOURS = 8;

export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #buckets: Int32Array;
  readonly #mask: number;
  /** So that nobody knows which clients share a place. */
  readonly #seed = (Math.random() * 2 ** 32) | 0;

  /** `buckets`: a power of two. */
  constructor(limit: RateLimit, buckets = BUCKETS) {
    this.#limit = limit;
    this.#mask = buckets - 1;
    this.#buckets = new Int32Array((buckets + NEIGHBOURS) * BUCKET_NUMBERS);
  }

  /**
   * Takes an answer out of the bucket of its kind (a hash of whatever makes answers alike) and client. `now`: seconds, of any
   * beginning, above 0.
   */
  take(kind: number, addresses: Uint8Array, at: number, length: number, now: number): RateVerdict {
    const { perSecond, slip, ipv4Prefix, ipv6Prefix } = this.#limit;
    const bits = length === 4 ? ipv4Prefix : ipv6Prefix;
    let key = Math.imul(kind ^ this.#seed, 0x9e3779b1) ^ length;
    let check = Math.imul(kind, 0x85ebca6b) ^ this.#seed;
    for (let left = bits, index = at; left > 0; left -= 8, index++) {
      const octet = left >= 8 ? addresses[index]! : addresses[index]! & (0xff00 >>> left);
      key = Math.imul(key ^ octet, 0x01000193);
      key ^= key >>> 15;
      check = Math.imul(check ^ octet, 0xc2b2ae35);
      check ^= check >>> 13;
    }
    const bucket = this.#bucket(key, check, now);
    const used = ++this.#buckets[bucket + BUCKET.used]!;
    if (used <= perSecond) return RateVerdict.pass;
    return slip > 0 && (used - perSecond) % slip === 0 ? RateVerdict.slip : RateVerdict.drop;
  }

  /** Where the bucket of this second is; a new one is empty of answers. */
  #bucket(key: number, check: number, now: number): number {
    const buckets = this.#buckets;
    const first = (key & this.#mask) * BUCKET_NUMBERS;
    let chosen = first;
    let least = Number.MAX_SAFE_INTEGER;
    for (let at = first; at < first + NEIGHBOURS * BUCKET_NUMBERS; at += BUCKET_NUMBERS) {
      const isCurrent = buckets[at + BUCKET.second] === now;
      if (isCurrent && buckets[at + BUCKET.key] === key && buckets[at + BUCKET.check] === check) return at;
      const used = isCurrent ? buckets[at + BUCKET.used]! : 0;
      if (used < least) {
        least = used;
        chosen = at;
      }
    }
    buckets[chosen + BUCKET.key] = key;
    buckets[chosen + BUCKET.check] = check;
    buckets[chosen + BUCKET.second] = now;
    buckets[chosen + BUCKET.used] = 0;
    return chosen;
  }
}
