// Zones as fast-check makes them: any octets in names and strings, all types that RDATA is known of.
import fc from 'fast-check';
import { isSubdomain, isWildcard, lowerName, nameOf } from '../../src/dns/name.ts';
import { isWellFormed, recordType, typeOf } from '../../src/dns/record-types.ts';
import type { DomainName, RecordSet, Zone } from '../../src/dns/record.ts';

const letter = fc.constantFrom(...Buffer.from('abcxyzABCXYZ0189-_*'));
const octet = fc.integer({ min: 0, max: 255 });

const label = fc.oneof(
  { weight: 8, arbitrary: fc.array(letter, { minLength: 1, maxLength: 6 }) },
  { weight: 2, arbitrary: fc.array(octet, { minLength: 1, maxLength: 10 }) },
  { weight: 1, arbitrary: fc.array(octet, { minLength: 63, maxLength: 63 }) },
  { weight: 1, arbitrary: fc.constant([0x2a]) },
);

/** A name of up to so many labels below another. */
export function nameBelow(base: DomainName, maxLabels: number): fc.Arbitrary<DomainName> {
  return fc
    .array(label, { maxLength: maxLabels })
    .map((labels) => Uint8Array.from([...labels.flatMap((octets) => [octets.length, ...octets]), ...base]));
}

const octets = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const target = fc.oneof(nameBelow(nameOf('.'), 3), nameBelow(nameOf('example.test.'), 2));
const text = fc.uint8Array({ maxLength: 40 }).map((characters) => Uint8Array.from([characters.length, ...characters]));
const join = (...parts: fc.Arbitrary<Uint8Array>[]) =>
  fc.tuple(...parts).map((all) => Uint8Array.from(all.flatMap((part) => [...part])));
const tagged = fc.constantFrom('issue', 'iodef', 'X1').map((tag) => Uint8Array.from([tag.length, ...Buffer.from(tag)]));

function parameter(key: number, value: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return value.map((of) => Uint8Array.from([key >>> 8, key & 255, of.length >>> 8, of.length & 255, ...of]));
}

const protocols = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 })
  .map((all) => Uint8Array.from(all.flatMap((protocol) => [protocol.length, ...protocol])));

const parameters = fc
  .record({
    alpn: fc.option(parameter(1, protocols)),
    port: fc.option(parameter(3, octets(2, 2))),
    hint4: fc.option(
      parameter(
        4,
        fc.integer({ min: 1, max: 3 }).chain((count) => octets(4 * count, 4 * count)),
      ),
    ),
    ech: fc.option(parameter(5, octets(1, 20))),
    hint6: fc.option(parameter(6, octets(16, 16))),
    other: fc.option(parameter(667, octets(0, 10))),
  })
  .map((all) => Uint8Array.from(Object.values(all).flatMap((part) => (part === null ? [] : [...part]))));

const RDATA: Record<string, fc.Arbitrary<Uint8Array>> = {
  A: octets(4, 4),
  AAAA: octets(16, 16),
  NS: target,
  CNAME: target,
  DNAME: target,
  PTR: target,
  MX: join(octets(2, 2), target),
  SRV: join(octets(6, 6), target),
  TXT: fc.array(text, { minLength: 1, maxLength: 3 }).map((all) => Uint8Array.from(all.flatMap((part) => [...part]))),
  SPF: text,
  HINFO: join(text, text),
  RP: join(target, target),
  AFSDB: join(octets(2, 2), target),
  NAPTR: join(octets(4, 4), text, text, fc.constant(Uint8Array.of(0)), target),
  CAA: join(octets(1, 1), tagged, octets(0, 300)),
  TLSA: octets(4, 60),
  SSHFP: join(fc.constant(Uint8Array.of(1, 9)), octets(1, 40)),
  DS: join(octets(3, 3), fc.constant(Uint8Array.of(9)), octets(1, 40)),
  URI: octets(4, 60),
  SVCB: join(octets(2, 2), target, parameters),
  HTTPS: join(octets(2, 2), target, parameters),
  TYPE4711: octets(0, 100),
};

const oneRecord = (origin: DomainName) =>
  fc.constantFrom(...Object.keys(RDATA)).chain((mnemonic) =>
    fc.record({
      owner: fc.oneof(nameBelow(origin, 3), nameBelow(origin, 0)),
      type: fc.constant(typeOf(mnemonic)!),
      ttl: fc.integer({ min: 0, max: 0x7fff_ffff }),
      rdata: RDATA[mnemonic]!,
    }),
  );

/** Sound zones: SOA, a server elsewhere, and what may stand beside. */
export function zones(originText: string): fc.Arbitrary<Zone> {
  const origin = nameOf(originText);
  const apex = zoneApex(origin);
  return fc.array(oneRecord(origin), { maxLength: 60 }).map((records) => {
    const sets = new Map<string, RecordSet>(apex.map((set) => [keyOf(set.owner, set.type), set]));
    const owners = new Map<string, 'cname' | 'other'>([[ownerKey(origin), 'other']]);
    for (const { owner, type, ttl, rdata } of records) {
      if (!isWellFormed(type, rdata, 0, rdata.length) || !isSubdomain(owner, origin) || owner.length > 255) continue;
      const isCname = type === typeOf('CNAME');
      const before = owners.get(ownerKey(owner));
      const set = sets.get(keyOf(owner, type));
      if (before !== undefined && (before === 'cname' || isCname)) continue;
      if (type === typeOf('DS') && owner.length === origin.length) continue;
      if (type === typeOf('NS') && (isWildcard(owner) || owner.length === origin.length)) continue;
      if (
        set !== undefined &&
        (recordType(type)?.isSingle === true || set.data.some((other) => isAlike(other, rdata)))
      ) {
        continue;
      }
      owners.set(ownerKey(owner), isCname ? 'cname' : 'other');
      sets.set(keyOf(owner, type), set ? { ...set, data: [...set.data, rdata] } : { owner, type, ttl, data: [rdata] });
    }
    return { origin, sets: [...sets.values()] };
  });
}

function zoneApex(origin: DomainName): RecordSet[] {
  const server = nameOf('ns.example.org.');
  const numbers = [1, 7200, 3600, 1_209_600, 300].flatMap((n) => [
    n >>> 24,
    (n >>> 16) & 255,
    (n >>> 8) & 255,
    n & 255,
  ]);
  return [
    { owner: origin, type: typeOf('SOA')!, ttl: 60, data: [Uint8Array.from([...server, ...server, ...numbers])] },
    { owner: origin, type: typeOf('NS')!, ttl: 60, data: [server] },
  ];
}

function ownerKey(owner: DomainName): string {
  const lower = owner.slice();
  lowerName(lower);
  return Buffer.from(lower).toString('hex');
}

const keyOf = (owner: DomainName, type: number) => `${ownerKey(owner)} ${type}`;

/** Equal but for the case of letters: names in RDATA are compared that way. */
function isAlike(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).toString('latin1').toLowerCase() === Buffer.from(b).toString('latin1').toLowerCase();
}
