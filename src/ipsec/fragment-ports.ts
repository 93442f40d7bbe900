// The ports of fragmented packets: only the first fragment shows them, and selectors that name ports are for the later ones as well
// (RFC 4301, section 7.3: stateful fragment checking). What the first one had is remembered; a later fragment that comes before it
// has no ports.

import { hashPair } from '../core/pair-map.ts';
import { FragmentKind, selectors } from './packet-selectors.ts';

/** Packets that are remembered. One takes the place of another whose hash is the same; that one's later fragments have no ports. */
const PACKETS = 4096;
/** Scope, addresses, protocol with the version, identification, ports. */
const WORDS = 12;
const KEY_WORDS = 11;
const PORTS = 11;

export class FragmentPorts {
  readonly #words = new Int32Array(PACKETS * WORDS);
  readonly #key = new Int32Array(KEY_WORDS);

  /**
   * Remembers the ports of the packet in `selectors` (packet-selectors.ts) when it is a first fragment, and fills in those of a
   * later one. Returns false for a later fragment of a protocol that has ports, whose first has not been seen.
   */
  complete(scope: number): boolean {
    if (selectors.fragment === FragmentKind.none || !selectors.hasPorts) return true;
    const at = this.#find(scope);
    const words = this.#words;
    if (selectors.fragment === FragmentKind.first) {
      if (selectors.sourcePort < 0) return true;
      words.set(this.#key, at);
      words[at + PORTS] = (selectors.sourcePort << 16) | selectors.destinationPort;
      return true;
    }
    for (let word = 0; word < KEY_WORDS; word++) if (words[at + word] !== this.#key[word]) return false;
    const ports = words[at + PORTS]!;
    selectors.sourcePort = ports >>> 16;
    selectors.destinationPort = ports & 0xffff;
    return true;
  }

  /** Where the packet in `selectors` has its place; its key is in `#key`. */
  #find(scope: number): number {
    const key = this.#key;
    const packet = selectors;
    key[0] = scope;
    key[1] = packet.source0;
    key[2] = packet.source1;
    key[3] = packet.source2;
    key[4] = packet.source3;
    key[5] = packet.destination0;
    key[6] = packet.destination1;
    key[7] = packet.destination2;
    key[8] = packet.destination3;
    // Never 0, as it is in a place that nobody has taken.
    key[9] = packet.protocol | (packet.isIpv6 ? 0x600 : 0x400);
    key[10] = packet.identification;
    const addresses = hashPair(hashPair(key[4] ^ key[2], key[8] ^ key[6]), hashPair(key[9], scope));
    return (hashPair(addresses, key[10]) & (PACKETS - 1)) * WORDS;
  }
}
