// What zones are made of. Octets are in network order and without compression throughout.

/**
 * A domain name as on the wire, without compression: labels with their lengths, and the root's 0 at the end; at most 255 octets
 * (RFC 1035, section 3.1). Letters keep their case; comparisons ignore it.
 */
export type DomainName = Uint8Array;

/** All records of one owner and one type: they share a TTL (RFC 2181, section 5.2). */
export type RecordSet = {
  readonly owner: DomainName;
  /** As on the wire: 1 is A (RFC 1035, section 3.2.2). */
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** RDATA of each record, as on the wire, names in it without compression; no two alike. */
  readonly data: readonly Uint8Array[];
};

/**
 * Record sets by their index. An array is one. Those of a large zone lie packed in one piece of memory (`PackedSets`), and each
 * look makes a RecordSet of views anew: do not keep a million of them, keep indices.
 */
export type RecordSets = {
  readonly length: number;
  at(index: number): RecordSet | undefined;
  [Symbol.iterator](): Iterator<RecordSet>;
};

/** A zone that was read and found sound: one SOA, and name servers at its origin. Class IN. */
export type Zone = {
  readonly origin: DomainName;
  /** In no order; no two of the same owner and type. */
  readonly sets: RecordSets;
};
