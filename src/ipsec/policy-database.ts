// The security policy database (RFC 4301, section 4.4.1): traffic selectors in order, searched for every packet.
//
// A tuple space search: selectors that look at the same bits of a packet form a class, and within a class the one for a packet
// is found by a hash. There are as many classes as kinds of selectors, a few however many selectors there are, so that a
// thousand of them cost little more than one. Classes are asked in the order of their best selector, and no longer than one
// could still win.

import { hashPair, nextPowerOfTwo } from '../core/pair-map.ts';
import { selectors } from './packet-selectors.ts';
import { ANY_PROTOCOL, type Direction, type SelectorSpec } from './traffic-selector.ts';

export class PolicyDatabase {
  readonly #specs = new Map<number, SelectorSpec>();
  /** By scope; undefined: to be built when it is asked. */
  #in: Map<number, SelectorClass[]> | undefined;
  #out: Map<number, SelectorClass[]> | undefined;
  /** Grows with every change. */
  version = 0;
  /** Whether there is any selector for the direction: nobody has to read a packet where there is none. */
  hasIn = false;
  hasOut = false;
  /** Whether any selector names a port: what fragments have of them is of interest then. */
  hasPorts = false;

  set(spec: SelectorSpec): void {
    this.#specs.set(spec.id, spec);
    this.#changed();
  }

  remove(id: number): void {
    if (this.#specs.delete(id)) this.#changed();
  }

  get(id: number): SelectorSpec | undefined {
    return this.#specs.get(id);
  }

  all(): Iterable<SelectorSpec> {
    return this.#specs.values();
  }

  #changed(): void {
    this.version += 1;
    this.#in = undefined;
    this.#out = undefined;
    this.hasIn = false;
    this.hasOut = false;
    this.hasPorts = false;
    for (const { direction, sourcePort, destinationPort } of this.#specs.values()) {
      if (direction === 'in') this.hasIn = true;
      else this.hasOut = true;
      this.hasPorts ||= sourcePort !== 0 || destinationPort !== 0;
    }
  }

  /** The selector for the packet in `selectors` (packet-selectors.ts), by its order; undefined: none matches. */
  find(direction: Direction, scope: number): SelectorSpec | undefined {
    const classes = (direction === 'in' ? this.#inbound() : this.#outbound()).get(scope);
    if (classes === undefined) return undefined;
    let best: SelectorSpec | undefined;
    for (let index = 0; index < classes.length; index++) {
      const one = classes[index]!;
      if (best !== undefined && !isBefore(one.best, best)) return best;
      const found = one.find();
      if (found !== undefined && (best === undefined || isBefore(found, best))) best = found;
    }
    return best;
  }

  #inbound(): Map<number, SelectorClass[]> {
    return (this.#in ??= classesOf(this.#specs.values(), 'in'));
  }

  #outbound(): Map<number, SelectorClass[]> {
    return (this.#out ??= classesOf(this.#specs.values(), 'out'));
  }
}

const isBefore = (a: SelectorSpec, b: SelectorSpec): boolean =>
  a.order < b.order || (a.order === b.order && a.id < b.id);

function classesOf(specs: Iterable<SelectorSpec>, direction: Direction): Map<number, SelectorClass[]> {
  const members = new Map<string, SelectorSpec[]>();
  for (const spec of specs) {
    if (spec.direction !== direction) continue;
    const key = [spec.scope, ...shapeOf(spec)].join(' ');
    const list = members.get(key);
    if (list === undefined) members.set(key, [spec]);
    else list.push(spec);
  }
  const byScope = new Map<number, SelectorClass[]>();
  for (const list of members.values()) {
    const { scope } = list[0]!;
    byScope.set(scope, [...(byScope.get(scope) ?? []), new SelectorClass(list)]);
  }
  for (const classes of byScope.values()) classes.sort((a, b) => (isBefore(a.best, b.best) ? -1 : 1));
  return byScope;
}

/** Which bits of a packet a selector looks at. */
const shapeOf = (spec: SelectorSpec): readonly (number | boolean)[] => [
  spec.isIpv6,
  spec.sourceBits,
  spec.destinationBits,
  spec.sourcePort !== 0,
  spec.destinationPort !== 0,
  spec.protocol !== ANY_PROTOCOL,
];

/** The first `bits` of a word, signed; up to none of them, and up to all. */
const maskOf = (bits: number): number => (bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits));

/** Selectors that look at the same bits. */
class SelectorClass {
  /** The first of them by order. */
  readonly best: SelectorSpec;
  readonly #isIpv6: boolean;
  readonly #sourceMasks: Int32Array;
  readonly #destinationMasks: Int32Array;
  readonly #usesSourcePort: boolean;
  readonly #usesDestinationPort: boolean;
  readonly #usesProtocol: boolean;
  /** Open addressing by the hash of those bits; where several say the same, only the first by order is in it. */
  readonly #slots: (SelectorSpec | undefined)[];
  readonly #mask: number;

  constructor(specs: readonly SelectorSpec[]) {
    const sorted = [...specs].sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.best = sorted[0]!;
    const { isIpv6, sourceBits, destinationBits, sourcePort, destinationPort, protocol } = this.best;
    this.#isIpv6 = isIpv6;
    this.#sourceMasks = masksOf(sourceBits, isIpv6);
    this.#destinationMasks = masksOf(destinationBits, isIpv6);
    this.#usesSourcePort = sourcePort !== 0;
    this.#usesDestinationPort = destinationPort !== 0;
    this.#usesProtocol = protocol !== ANY_PROTOCOL;
    this.#mask = nextPowerOfTwo(specs.length * 2) - 1;
    this.#slots = new Array<SelectorSpec | undefined>(this.#mask + 1).fill(undefined);
    for (const spec of sorted) this.#enter(spec);
  }

  #enter(spec: SelectorSpec): void {
    const { source, destination } = spec;
    const [s, d] = [this.#sourceMasks, this.#destinationMasks];
    let at = this.#home(
      source[0] & s[0]!,
      source[1] & s[1]!,
      source[2] & s[2]!,
      source[3] & s[3]!,
      destination[0] & d[0]!,
      destination[1] & d[1]!,
      destination[2] & d[2]!,
      destination[3] & d[3]!,
      spec.sourcePort,
      spec.destinationPort,
      this.#usesProtocol ? spec.protocol : 0,
    );
    for (let known = this.#slots[at]; known !== undefined; known = this.#slots[at]) {
      if (this.#saysSame(known, spec)) return;
      at = (at + 1) & this.#mask;
    }
    this.#slots[at] = spec;
  }

  #home(
    s0: number,
    s1: number,
    s2: number,
    s3: number,
    d0: number,
    d1: number,
    d2: number,
    d3: number,
    sourcePort: number,
    destinationPort: number,
    protocol: number,
  ): number {
    const upper = this.#isIpv6 ? hashPair(hashPair(s0 ^ d2, s1 ^ d0), hashPair(s2, d1)) : 0;
    const ports = (sourcePort << 16) ^ destinationPort ^ (protocol << 8);
    return hashPair(hashPair(s3, d3) ^ upper, ports) & this.#mask;
  }

  #saysSame(a: SelectorSpec, b: SelectorSpec): boolean {
    const [s, d] = [this.#sourceMasks, this.#destinationMasks];
    for (let word = 0; word < 4; word++) {
      if (((a.source[word]! ^ b.source[word]!) & s[word]!) !== 0) return false;
      if (((a.destination[word]! ^ b.destination[word]!) & d[word]!) !== 0) return false;
    }
    return a.sourcePort === b.sourcePort && a.destinationPort === b.destinationPort && a.protocol === b.protocol;
  }

  /** The selector of this class for the packet in `selectors`. */
  find(): SelectorSpec | undefined {
    const packet = selectors;
    if (packet.isIpv6 !== this.#isIpv6) return undefined;
    const sourcePort = this.#usesSourcePort ? packet.sourcePort : 0;
    const destinationPort = this.#usesDestinationPort ? packet.destinationPort : 0;
    if (sourcePort < 0 || destinationPort < 0) return undefined;
    const s = this.#sourceMasks;
    const d = this.#destinationMasks;
    const s0 = packet.source0 & s[0]!;
    const s1 = packet.source1 & s[1]!;
    const s2 = packet.source2 & s[2]!;
    const s3 = packet.source3 & s[3]!;
    const d0 = packet.destination0 & d[0]!;
    const d1 = packet.destination1 & d[1]!;
    const d2 = packet.destination2 & d[2]!;
    const d3 = packet.destination3 & d[3]!;
    const protocol = this.#usesProtocol ? packet.protocol : 0;
    let at = this.#home(s0, s1, s2, s3, d0, d1, d2, d3, sourcePort, destinationPort, protocol);
    for (;;) {
      const spec = this.#slots[at];
      if (spec === undefined) return undefined;
      const { source, destination } = spec;
      if (
        (destination[3] & d[3]!) === d3 &&
        (source[3] & s[3]!) === s3 &&
        spec.sourcePort === sourcePort &&
        spec.destinationPort === destinationPort &&
        (!this.#usesProtocol || spec.protocol === protocol) &&
        (!this.#isIpv6 ||
          ((source[0] & s[0]!) === s0 &&
            (source[1] & s[1]!) === s1 &&
            (source[2] & s[2]!) === s2 &&
            (destination[0] & d[0]!) === d0 &&
            (destination[1] & d[1]!) === d1 &&
            (destination[2] & d[2]!) === d2))
      ) {
        return spec;
      }
      at = (at + 1) & this.#mask;
    }
  }
}

/** Masks of the four words of an address; one of IPv4 stands in the last. */
function masksOf(bits: number, isIpv6: boolean): Int32Array {
  if (!isIpv6) return Int32Array.of(0, 0, 0, maskOf(bits));
  return Int32Array.of(maskOf(bits), maskOf(bits - 32), maskOf(bits - 64), maskOf(bits - 96));
}
