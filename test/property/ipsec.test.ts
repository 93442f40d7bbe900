// time-out: 600 s
// What is sealed comes out as it was: every transform, both modes, both IP versions inside and outside, with options, extension
// headers and fragments, in batches; and it is as large as the arithmetic says.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Drop, FORWARD } from '../../src/core/drop-reason.ts';
import { largestInnerOctets, sealedOctets } from '../../src/ipsec/overhead.ts';
import { IpsecProtocol } from '../../src/ipsec/security-association.ts';
import { checkIpv4 } from '../../src/wire/ipv4.ts';
import { checkIpv6 } from '../../src/wire/ipv6.ts';
import { samplePacket } from '../support/ipsec-packets.ts';
import { AH_TRANSFORMS, ESP_TRANSFORMS, IpsecRig, specOf } from '../support/ipsec-rig.ts';

const rig = new IpsecRig();

const common = {
  packets: fc.array(samplePacket, { minLength: 1, maxLength: 5 }),
  isTunnel: fc.boolean(),
  family: fc.constantFrom(4 as const, 6 as const),
  extended: fc.boolean(),
  replayWindow: fc.constantFrom(0, 32, 64, 1024),
  compression: fc.constantFrom(0 as const, 2 as const),
  compressionIndex: fc.constantFrom(2, 256, 61_439),
  dontFragment: fc.constantFrom('copy' as const, 'set' as const, 'clear' as const),
};

const esp = fc.record({
  ...common,
  transform: fc.constantFrom(...ESP_TRANSFORMS),
  ports: fc.constantFrom(0, 0, 4500),
});
const ah = fc.record({ ...common, transform: fc.constantFrom(...AH_TRANSFORMS), ahAlign8: fc.boolean() });

type Sample = { isTunnel: boolean } & (typeof samplePacket extends fc.Arbitrary<infer P> ? { packets: P[] } : never);

/** Seals and opens; of each packet what is to be: refused in transport mode, or there again. */
function exercise(
  sample: Sample,
  spec: ReturnType<typeof specOf>,
  keyOctets: number,
  isRefused: (p: Sample['packets'][0]) => boolean,
) {
  const outbound = rig.outbound(spec, keyOctets);
  const inbound = rig.inbound(spec, keyOctets);
  const packets = sample.packets.map(({ octets }) => octets);
  const sealed = rig.seal(outbound, ...packets);
  const accepted = sample.packets.filter((packet) => !isRefused(packet));
  assert.deepEqual(
    sealed.map(({ verdict }) => verdict),
    sample.packets.map((packet) => (isRefused(packet) ? Drop.ipsecUnsupported : FORWARD)),
  );
  const wire = sealed.filter(({ verdict }) => verdict === FORWARD).map(({ octets }) => octets);
  for (const [index, octets] of wire.entries()) {
    const is4 = octets[0]! >>> 4 === 4;
    assert.equal(is4 ? checkIpv4(octets, 0, octets.length) : checkIpv6(octets, 0, octets.length), FORWARD);
    const packet = accepted[index]!;
    if (spec.isTunnel) assert.equal(is4, spec.family === 4);
    const expected = sealedOctets(spec, packet.octets.length, packet.family, packet.frontOctets);
    if (spec.compression === 0) assert.equal(octets.length, expected);
    else assert.ok(octets.length <= expected);
    const most = largestInnerOctets(spec, expected, packet.family, packet.frontOctets);
    assert.ok(most >= packet.octets.length && sealedOctets(spec, most, packet.family, packet.frontOctets) <= expected);
    assert.ok(sealedOctets(spec, most + 1, packet.family, packet.frontOctets) > expected);
  }
  const opened = rig.open(inbound, ...wire);
  for (const [index, { verdict, octets }] of opened.entries()) {
    assert.equal(verdict, FORWARD);
    assert.deepEqual(octets, accepted[index]!.octets);
  }
  assert.equal(inbound.packets, accepted.length);
  assert.equal(inbound.octets, outbound.octets);
  if (spec.replayWindow > 0) {
    assert.ok(rig.open(inbound, ...wire).every(({ verdict }) => verdict === Drop.ipsecReplayed));
  }
}

describe('sealing and opening', () => {
  it('ESP brings every packet back, in every mode, or refuses it', () => {
    fc.assert(
      fc.property(esp, ({ transform: { keyOctets, ...transform }, ports, ...sample }) => {
        // A recomputed checksum would differ where the sample has none.
        const isPlain = sample.isTunnel || ports === 0;
        const packets = isPlain
          ? sample.packets
          : sample.packets.filter(({ octets, family }) => !hasChecksum(octets, family));
        const spec = specOf({ ...sample, transform, udpSourcePort: ports, udpDestinationPort: ports });
        exercise({ ...sample, packets }, spec, keyOctets, ({ isFragment }) => !sample.isTunnel && isFragment);
      }),
      { numRuns: 1500 },
    );
  });

  it('AH brings every packet back, in both modes, or refuses it', () => {
    fc.assert(
      fc.property(ah, ({ transform: { keyOctets, ...transform }, ...sample }) => {
        const spec = specOf({ ...sample, protocol: IpsecProtocol.ah, transform });
        exercise(
          sample,
          spec,
          keyOctets,
          (packet) => !sample.isTunnel && (packet.isFragment || packet.hasFragmentHeader),
        );
      }),
      { numRuns: 1500 },
    );
  });
});

const hasChecksum = (octets: Buffer, family: 4 | 6): boolean => [6, 17].includes(octets[family === 4 ? 9 : 6]!);
