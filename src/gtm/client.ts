// Who is answered: the resolver that asks, by which paths are measured and clients remembered, and the place that topology looks
// at, which may be that of a client behind it.

import { read32 } from '../core/octets.ts';

/** One object serves query after query. */
export class Client {
  /** Of the resolver: 4 or 6. */
  family = 4;
  /** Four words of the resolver's address; that of IPv4 stands in the first and the others are 0. */
  readonly words = new Int32Array(4);
  /** Where the address stands that topology looks at: 4 or 16 octets. */
  octets: Uint8Array = new Uint8Array(4);
  at = 0;
  length = 4;
  /** Seconds since 1970. */
  now = 0;
  /** The class of that address; -1: nobody has looked yet. */
  topologyClass = -1;

  /** Another resolver, at whose place topology looks too. `length`: 4 or 16. */
  setResolver(octets: Uint8Array, at: number, length: number): void {
    const { words } = this;
    this.family = length === 4 ? 4 : 6;
    words[0] = read32(octets, at);
    words[1] = length === 4 ? 0 : read32(octets, at + 4);
    words[2] = length === 4 ? 0 : read32(octets, at + 8);
    words[3] = length === 4 ? 0 : read32(octets, at + 12);
    this.setPlace(octets, at, length);
  }

  /** What topology looks at instead, as of a client subnet (RFC 7871). `length`: 4 or 16. */
  setPlace(octets: Uint8Array, at: number, length: number): void {
    this.octets = octets;
    this.at = at;
    this.length = length;
    this.topologyClass = -1;
  }
}

/** How scores of topology are asked for (`TopologyScorer`). */
export type TopologyScores = {
  /** At least 0. */
  classOf(octets: Uint8Array, at: number, length: number): number;
  /** The score of a subject to clients of a class; -1 when no record says it. */
  score(topologyClass: number, subject: number): number;
};

/** The class of a client's place, which is looked up once for a query. */
export function topologyClassOf(client: Client, scores: TopologyScores): number {
  if (client.topologyClass < 0) client.topologyClass = scores.classOf(client.octets, client.at, client.length);
  return client.topologyClass;
}
