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

/** A zone that was read and found sound: one SOA, and name servers at its origin. Class IN. */
export type Zone = {
  readonly origin: DomainName;
  /** In no order. */
  readonly sets: readonly RecordSet[];
};
