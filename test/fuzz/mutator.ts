// A seeded mutator of frames: takes valid ones apart by field or blindly, so that some still are accepted and the others
// fail in every way there is. The same seed gives the same frames.

/** What stands at a place of a frame; decides by which values it is replaced. */
export type FieldKind =
  'mac' | 'type' | 'tci' | 'ipv4' | 'ipv6' | 'port' | 'vni' | 'flags' | 'length' | 'small' | 'any';

export type Field = { at: number; octets: number; kind: FieldKind };

/** The fields of a frame, and where its IPv4 headers start, whose checksums a mutation may repair. */
export type Layout = { fields: Field[]; ipv4Headers: number[] };

/** Values of a kind that mean something to the receiver; 0, the largest value and random ones are tried anyway. */
export type Dictionary = Partial<Record<FieldKind, readonly Uint8Array[]>>;

/** xorshift32: enough for choosing, and the same on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** From 0 to below - 1. */
  below(below: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % below;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

const MAX_OCTETS = 9400;

export class Mutator {
  readonly random: Random;
  readonly #dictionary: Dictionary;
  readonly #scratch = new Uint8Array(MAX_OCTETS);
  #length = 0;

  constructor(seed: number, dictionary: Dictionary = {}) {
    this.random = new Random(seed);
    this.#dictionary = dictionary;
  }

  /** A mutation of the frame; valid until the next call. `other` lends octets to splices. */
  mutate(frame: Uint8Array, layout: Layout, other: Uint8Array): Uint8Array {
    const { random } = this;
    this.#scratch.set(frame);
    this.#length = frame.length;
    const rounds = random.pick([0, 0, 1, 1, 1, 1, 2, 2, 3]);
    for (let round = 0; round < rounds; round++) {
      if (random.chance(75)) this.#mutateField(random.pick(layout.fields));
      else this.#mutateBlindly(other);
    }
    if (random.chance(80)) for (const at of layout.ipv4Headers) this.#repair(at);
    return this.#scratch.subarray(0, this.#length);
  }

  #mutateField({ at, octets, kind }: Field): void {
    const { random } = this;
    if (at + octets > this.#length) return;
    const scratch = this.#scratch;
    const known = this.#dictionary[kind];
    const how = random.below(known === undefined ? 5 : 15);
    if (how > 4) scratch.set(random.pick(known!).subarray(0, octets), at);
    else if (how === 0) scratch.fill(0, at, at + octets);
    else if (how === 1) scratch.fill(0xff, at, at + octets);
    else if (how === 2) scratch[at + random.below(octets)]! ^= 1 << random.below(8);
    else if (how === 3) scratch[at + octets - 1]! += random.pick([1, -1, 2, -2, 4, -4]);
    else for (let index = 0; index < octets; index++) scratch[at + index] = random.below(256);
  }

  #mutateBlindly(other: Uint8Array): void {
    const { random } = this;
    const scratch = this.#scratch;
    const length = this.#length;
    switch (random.below(7)) {
      case 0:
        this.#length = random.below(length + 1);
        break;
      case 1:
        // Most headers end within the first hundred octets.
        this.#length = Math.min(length, random.below(110));
        break;
      case 2: {
        const more = Math.min(random.below(64), MAX_OCTETS - length);
        for (let index = 0; index < more; index++) scratch[length + index] = random.below(256);
        this.#length += more;
        break;
      }
      case 3:
        if (length > 0)
          for (let bit = random.below(4); bit >= 0; bit--) scratch[random.below(length)]! ^= 1 << random.below(8);
        break;
      case 4:
        if (length > 0) scratch[random.below(length)] = random.below(256);
        break;
      case 5: {
        // The head of this frame and the tail of another.
        const cut = random.below(Math.min(length, other.length) + 1);
        scratch.set(other.subarray(cut), cut);
        this.#length = Math.max(cut, other.length);
        break;
      }
      default: {
        const from = random.below(length + 1);
        const count = Math.min(random.below(32), length - from);
        scratch.copyWithin(random.below(Math.max(1, length - count)), from, from + count);
      }
    }
  }

  /** Gives the IPv4 header a checksum that fits it, so that other errors come to light. */
  #repair(at: number): void {
    const scratch = this.#scratch;
    const octets = (scratch[at]! & 15) * 4;
    if (octets < 20 || at + octets > this.#length) return;
    scratch.fill(0, at + 10, at + 12);
    let sum = 0;
    for (let index = at; index < at + octets; index += 2) sum += scratch[index]! * 256 + scratch[index + 1]!;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    scratch[at + 10] = (~sum >>> 8) & 255;
    scratch[at + 11] = ~sum & 255;
  }
}

/** The fields of a valid frame: Ethernet, tags, ARP, IPv4, IPv6, UDP, ICMP, VXLAN, GRE, EtherIP and what they carry. */
export function layoutOf(frame: Uint8Array): Layout {
  const layout: Layout = { fields: [], ipv4Headers: [] };
  walkEthernet(frame, 0, layout);
  return { ...layout, fields: layout.fields.filter(({ at, octets }) => at + octets <= frame.length) };
}

const u16 = (frame: Uint8Array, at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);

function add(layout: Layout, base: number, ...fields: readonly (readonly [number, number, FieldKind])[]): void {
  for (const [at, octets, kind] of fields) layout.fields.push({ at: base + at, octets, kind });
}

function walkEthernet(frame: Uint8Array, start: number, layout: Layout): void {
  add(layout, start, [0, 6, 'mac'], [0, 6, 'mac'], [6, 6, 'mac'], [12, 2, 'type']);
  let at = start + 12;
  while ([0x8100, 0x88a8].includes(u16(frame, at))) {
    add(layout, at, [2, 2, 'tci'], [4, 2, 'type']);
    at += 4;
  }
  const type = u16(frame, at);
  const payload = at + 2;
  if (type === 0x0800) walkIpv4(frame, payload, layout);
  else if (type === 0x86dd) walkIpv6(frame, payload, layout);
  else if (type === 0x0806) {
    add(layout, payload, [0, 2, 'any'], [2, 2, 'type'], [4, 1, 'any'], [5, 1, 'any'], [6, 2, 'small']);
    add(layout, payload, [8, 6, 'mac'], [14, 4, 'ipv4'], [24, 4, 'ipv4']);
  }
}

function walkIpv4(frame: Uint8Array, at: number, layout: Layout): void {
  layout.ipv4Headers.push(at);
  add(
    layout,
    at,
    [0, 1, 'flags'],
    [1, 1, 'flags'],
    [2, 2, 'length'],
    [4, 2, 'any'],
    [6, 2, 'flags'],
    [8, 1, 'small'],
    [9, 1, 'small'],
  );
  add(layout, at, [10, 2, 'any'], [12, 4, 'ipv4'], [12, 4, 'ipv4'], [16, 4, 'ipv4']);
  const payload = at + ((frame[at] ?? 0) & 15) * 4;
  const protocol = frame[at + 9];
  if (protocol === 17) walkUdp(frame, payload, layout);
  else if (protocol === 47) walkGre(frame, payload, layout);
  else if (protocol === 97) walkEtherIp(frame, payload, layout);
  else add(layout, payload, [0, 1, 'small'], [1, 1, 'small'], [2, 2, 'any'], [4, 4, 'any']);
}

function walkIpv6(frame: Uint8Array, at: number, layout: Layout): void {
  add(layout, at, [0, 4, 'flags'], [4, 2, 'length'], [6, 1, 'small'], [7, 1, 'small']);
  add(layout, at, [8, 16, 'ipv6'], [24, 16, 'ipv6']);
  if (frame[at + 6] === 17) {
    walkUdp(frame, at + 40, layout);
    return;
  }
  if (frame[at + 6] === 47) {
    walkGre(frame, at + 40, layout);
    return;
  }
  add(
    layout,
    at + 40,
    [0, 1, 'small'],
    [1, 1, 'small'],
    [2, 2, 'any'],
    [8, 16, 'any'],
    [24, 2, 'small'],
    [26, 6, 'mac'],
  );
}

function walkUdp(frame: Uint8Array, at: number, layout: Layout): void {
  add(layout, at, [0, 2, 'port'], [2, 2, 'port'], [4, 2, 'length'], [6, 2, 'any']);
  if (u16(frame, at + 2) === 4789) walkVxlan(frame, at + 8, layout);
}

function walkGre(frame: Uint8Array, at: number, layout: Layout): void {
  add(layout, at, [0, 1, 'flags'], [1, 1, 'small'], [2, 2, 'type']);
  const flags = u16(frame, at);
  let next = at + 4;
  if ((flags & 0x8000) !== 0) {
    add(layout, next, [0, 2, 'any'], [2, 2, 'any']);
    next += 4;
  }
  if ((flags & 0x2000) !== 0) {
    add(layout, next, [0, 3, 'vni'], [0, 4, 'flags'], [3, 1, 'any']);
    next += 4;
  }
  if ((flags & 0x1000) !== 0) {
    add(layout, next, [0, 4, 'any'], [3, 1, 'any']);
    next += 4;
  }
  if (u16(frame, at + 2) === 0x6558) walkEthernet(frame, next, layout);
  else if (u16(frame, at + 2) === 0x0800) walkIpv4(frame, next, layout);
}

function walkEtherIp(frame: Uint8Array, at: number, layout: Layout): void {
  add(layout, at, [0, 1, 'flags'], [1, 1, 'any']);
  walkEthernet(frame, at + 2, layout);
}

export function walkVxlan(frame: Uint8Array, at: number, layout: Layout): void {
  add(layout, at, [0, 1, 'flags'], [1, 3, 'any'], [4, 3, 'vni'], [4, 3, 'vni'], [7, 1, 'any']);
  walkEthernet(frame, at + 8, layout);
}
